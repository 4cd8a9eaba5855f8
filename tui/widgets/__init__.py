"""The parts that the screens are made of; each shows what it is handed and asks for nothing."""
