"""What a study is and how it is made."""
