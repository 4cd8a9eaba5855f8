"""The demo model's tokenizer: CLIP's kind, where each word that a caption of the demo uses is one token."""

from itertools import pairwise

from transformers import CLIPTokenizer

from engine.clip_bpe import END_OF_WORD, Merge, clip_tokenizer

COLOURS = """
red orange yellow green blue purple violet pink brown black white grey gray beige tan navy teal turquoise cyan magenta
maroon burgundy olive gold golden silver cream ivory khaki mint lime coral salmon lavender rose bronze copper charcoal
"""
SHOES = """
shoe shoes sneaker sneakers boot boots sandal sandals loafer loafers slipper slippers trainer trainers heel heels pump
pumps flat flats moccasin moccasins oxford derby brogue clog clogs sole soles lace laces tongue toe cap strap straps
buckle zip logo stripe stripes stitching upper outsole midsole insole ankle high low top slip casual formal running
sports walking hiking tennis basketball canvas leather suede mesh rubber cotton knit denim velvet patent
"""
THINGS = """
mug bottle box handbag backpack cap hat shirt trousers dress lamp chair table ball clock book umbrella vase teapot car
boat pillow pan bowl phone gift sofa candle
"""
PICTURES = """
photo photograph picture image drawing product professional studio catalogue shot view side front back left right above
below angle close up detail macro light lighting soft bright dark shadow shadows background backdrop plain simple clean
wooden wood floor table marble concrete stone grass sand street wall surface isolated centered colour color colours
colors quality sharp blurry render sketch illustration
"""
FUNCTION_WORDS = """
a an the of on in at with without and or for from to by as is are it its this that these those one two three pair pairs
set single both each men women man woman kids child new old small large big wide thin thick round pointed modern classic
vintage retro elegant sporty comfortable stylish pale deep light
"""
WORDS = tuple(dict.fromkeys(f"{COLOURS} {SHOES} {THINGS} {PICTURES} {FUNCTION_WORDS}".split()))


def merges_for(words: tuple[str, ...]) -> list[Merge]:
    """Byte-pair merges that turn each of some ASCII words into one token.

    A merge added later has a higher rank, so it acts only where no earlier one can: a word that is whole stays whole.
    """
    ranks: dict[Merge, int] = {}
    for word in words:
        while len(pieces := _encode(word, ranks)) > 1:
            ranks[pieces[0], pieces[1]] = len(ranks)
    return list(ranks)


def _encode(word: str, ranks: dict[Merge, int]) -> list[str]:
    """The pieces of a word: again and again the pair of lowest rank is joined, wherever it stands."""
    pieces = [*word[:-1], word[-1] + END_OF_WORD]
    while known := [pair for pair in pairwise(pieces) if pair in ranks]:
        chosen = min(known, key=ranks.__getitem__)
        joined: list[str] = []
        for piece in pieces:
            if joined and (joined[-1], piece) == chosen:
                joined[-1] += piece
            else:
                joined.append(piece)
        pieces = joined
    return pieces


def demo_tokenizer() -> CLIPTokenizer:
    """The tokenizer of the demo model: some 1,000 tokens, of which one for each of WORDS."""
    return clip_tokenizer(merges_for(WORDS))
