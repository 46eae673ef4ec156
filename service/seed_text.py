"""The words of the seed data: occupations by field, and what is taught about them."""

OCCUPATIONS = {
    "science": ("Marine Biologist", "Astronomer", "Chemist", "Geologist", "Botanist"),
    "health": ("Nurse", "Physiotherapist", "Veterinarian", "Dentist", "Paramedic"),
    "engineering": ("Bridge Engineer", "Robotics Engineer", "Ship Builder", "Surveyor", "Electrician"),
    "arts": ("Illustrator", "Composer", "Set Designer", "Photographer", "Potter"),
    "crafts": ("Carpenter", "Baker", "Watchmaker", "Tailor", "Bookbinder"),
    "media": ("Journalist", "Film Editor", "Translator", "Sound Engineer", "Librarian"),
    "nature": ("Forester", "Beekeeper", "Gardener", "Farmer", "Park Ranger"),
    "transport": ("Pilot", "Train Driver", "Harbour Master", "Bus Driver", "Navigator"),
}
LESSONS = {
    "learn": ("What a {title} does", "Words a {title} uses", "A {title}'s tools"),
    "experience": ("A {title}'s morning", "A problem for the {title}", "Working with others"),
    "discover": ("How to become a {title}", "Where a {title} works", "Careers near the {title}"),
}
CHOICES = ("north", "east", "south", "west")
QUESTIONS_PER_OCCUPATION = 10
CAREER_LEVELS = 5
PRODUCT_CATEGORIES = ("books", "kits", "tools", "games", "maps")
POST_WORDS = (
    "lighthouse",
    "tugboat",
    "crane",
    "beehive",
    "workshop",
    "telescope",
    "oven",
    "bridge",
    "printing press",
)
COMMENT_WORDS = ("captain", "colleague", "neighbour", "friend", "everybody", "dear reader", "stranger")
