"""How numbers are written in a language, where Django says otherwise than Unicode's CLDR; by language."""
