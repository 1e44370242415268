"""Cases of answers.py, a file a kind of fault: rows or steps, questions, and the right answers."""
