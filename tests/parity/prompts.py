"""Prompts of the golden files: raw text, without a chat template."""

# SmolLM2 ends none of these within TOKENS tokens, and no choice is so close that rounding could turn it.
PROMPTS = [
    "The sun rises in the east and sets in the",
    "Water boils at a temperature of",
    "Anna has a red ball. Tom has a blue hat. Tom has a blue",
    "def fibonacci(n):\n    ",
    "Once upon a time, in a small village by the sea,",
    "1, 2, 3, 4, 5,",
    "She opened the old wooden door and saw",
    "Q: What is the largest planet in the solar system?\nA:",
    "In 1969, the first people landed on",
    "Photosynthesis is the process by which plants",
    "The river was wide and cold, but the boy",
    "My grandmother always told me that",
    "To make a good cup of tea, you need",
    "#include <stdio.h>\n\nint main(void)\n{\n    ",
    "The results of the experiment were surprising:",
    "Dear Sir or Madam,\n\nI am writing to",
    "The derivative of x squared is",
    "Berlin is the capital of Germany, Rome is the capital of Italy, and Madrid is the capital of",
    "Caf\u00e9s in Z\u00fcrich serve",
    "Mary gave the book to John because he wanted to read it. The one who wanted to read was",
]
