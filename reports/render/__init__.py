"""How a verdict looks: as text in a terminal and as one self-contained HTML file."""
