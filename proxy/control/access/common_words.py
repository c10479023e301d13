"""What passwords are made of that everybody tries first: words, names, rows of keys."""

from __future__ import annotations

from typing import Final

# The bases of the most frequent passwords in published leaks (NIST SP 800-63B, 3.1.1.2), without what people hang on.
COMMON_WORDS: Final = frozenset(
    {
        "a", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh", "access", "account", "adidas", "admin",
        "administrator", "alexander", "alpha", "amanda", "america", "andrea", "andrew", "angel", "anna", "anthony",
        "apple", "april", "arsenal", "asdf", "asdfg", "asdfgh", "asdfghjkl", "ashley", "august", "austin", "autumn",
        "baby", "babygirl", "bailey", "banana", "barcelona", "baseball", "basketball", "batman", "battery", "berlin",
        "blessed", "blink", "blue", "brandon", "butterfly", "buster", "change", "changeit", "changeme", "charlie",
        "cheese", "chelsea", "chicken", "chocolate", "christian", "company", "computer", "cookie", "correct",
        "daniel", "database", "david", "december", "default", "demo", "diamond", "dragon", "eminem", "england",
        "enter", "family", "february", "firewall", "flower", "football", "forever", "freedom", "friday", "friend",
        "friends", "fuck", "fuckyou", "george", "ginger", "god", "google", "guest", "hannah", "happy", "harley",
        "heaven", "hello", "hockey", "horse", "house", "hunter", "i", "iloveyou", "internet", "jack", "january",
        "jasmine", "jennifer", "jessica", "jesus", "john", "jordan", "joshua", "july", "june", "justin", "killer",
        "king", "letmein", "liverpool", "local", "login", "london", "love", "lovely", "loveyou", "lucky", "maggie",
        "manager", "march", "maria", "master", "matrix", "matthew", "me", "merlin", "michael", "michelle", "mickey",
        "monday", "money", "monkey", "mother", "mustang", "my", "mypass", "mypassword", "naruto", "new", "nicole",
        "nothing", "november", "nirvana", "october", "office", "openai", "orange", "pa", "paris", "pass", "passphrase",
        "passw", "passwd", "password", "passwords", "passwort", "peanut", "pepper", "phoenix", "pokemon", "prince",
        "princess", "private", "prompt", "promptshield", "purple", "qaz", "qazwsx", "qazwsxedc", "qwe", "qwer",
        "qwert", "qwerty", "qwertyui", "qwertyuiop", "qwertz", "qwertzuiop", "raiders", "rainbow", "ranger", "robert",
        "root", "samsung", "saturday", "secret", "secure", "security", "september", "server", "service", "shadow",
        "shield", "sophie", "spring", "staple", "star", "starwars", "summer", "sunday", "sunshine", "super",
        "superman", "support", "sysadmin", "system", "taylor", "temp", "test", "tester", "testing", "the", "thomas",
        "thursday", "tigger", "tinkerbell", "trustno", "tuesday", "unknown", "user", "username", "victoria",
        "wednesday", "welcome", "whatever", "winter", "wsx", "edc", "you", "zaq", "zaqxsw", "zxc", "zxcv", "zxcvb",
        "zxcvbn", "zxcvbnm",
    }
)  # fmt: skip
