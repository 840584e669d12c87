"""Strings that are hard on tokenisers, the same on every machine: only the number of a string decides it.

    strings(10000)   a list of str, none with lone surrogates

All scripts of Unicode 14 (later ones are unknown to some of the libraries compared), emoji, odd spaces, control
characters, combining marks, what decoders make of broken UTF-8, long runs, and tokens' names spelled out.
"""

# Assigned characters of each script, first-last in hexadecimal.
SCRIPTS = {
    "latin": "c0-24f", "ipa": "250-2ff", "greek": "370-377 384-38a 38e-3a1 3a3-3ff", "cyrillic": "400-52f",
    "armenian": "531-556 559-58a 58d-58f", "hebrew": "591-5c7 5d0-5ea 5ef-5f4", "arabic": "600-6ff",
    "syriac": "700-70d 70f-74a 74d-74f", "thaana": "780-7b1", "nko": "7c0-7fa 7fd-7ff",
    "samaritan": "800-82d 830-83e", "arabic-extended": "870-88e 890-891 898-8ff", "devanagari": "900-97f",
    "bengali": "985-98c 993-9a8 9bc-9c4 9e6-9fe", "gurmukhi": "a05-a0a a13-a28 a2a-a30 a66-a76",
    "gujarati": "a85-a8d a93-aa8 abc-ac5 ae6-af1", "oriya": "b05-b0c b13-b28 b3c-b44 b66-b77",
    "tamil": "b85-b8a bae-bb9 bbe-bc2 be6-bfa", "telugu": "c00-c0c c12-c28 c2a-c39 c66-c6f",
    "kannada": "c80-c8c c92-ca8 caa-cb3 ce6-cef", "malayalam": "d00-d0c d12-d44 d54-d63 d66-d7f",
    "sinhala": "d85-d96 d9a-db1 db3-dbb de6-def", "thai": "e01-e3a e3f-e5b",
    "lao": "e8c-ea3 ea7-ebd ec8-ecd ed0-ed9", "tibetan": "f00-f47 f49-f6c f71-f97 f99-fbc", "burmese": "1000-109f",
    "georgian": "10a0-10c5 10c7-10c7 10cd-10cd 10d0-10ff", "jamo": "1100-11ff",
    "ethiopic": "1200-1248 1260-1288 12d8-1310 1318-135a", "cherokee": "13a0-13f5 13f8-13fd",
    "canadian": "1400-167f", "ogham": "1680-169c", "runic": "16a0-16f8", "khmer": "1780-17dd 17e0-17e9 17f0-17f9",
    "mongolian": "1800-1819 1820-1878 1880-18aa", "limbu": "1900-191e 1920-192b 1930-193b 1944-194f",
    "tai": "1950-196d 1980-19ab 19b0-19c9 19d0-19da", "buginese": "1a00-1a1b 1a1e-1a1f",
    "balinese": "1b00-1b4c 1b50-1b7e", "lepcha": "1c00-1c37 1c3b-1c49 1c4d-1c7f", "phonetic": "1d00-1dbf",
    "latin-additional": "1e00-1eff", "greek-extended": "1f00-1f15 1f20-1f45 1f5f-1f7d 1f80-1fb4",
    "punctuation": "2000-2064 2066-206f", "super": "2070-2071 2074-208e 2090-209c", "currency": "20a0-20c0",
    "letterlike": "2100-218b", "arrows": "2190-23ff", "enclosed": "2460-24ff", "boxes": "2500-27bf",
    "math": "27c0-2b73 2b76-2b95 2b97-2bff", "glagolitic": "2c00-2c7f", "coptic": "2c80-2cf3 2cf9-2cff",
    "tifinagh": "2d30-2d67 2d6f-2d70 2d7f-2d7f", "cjk-radicals": "2e80-2e99 2e9b-2ef3 2f00-2fd5",
    "cjk-punctuation": "3000-303f", "hiragana": "3041-3096 3099-309f", "katakana": "30a0-30ff",
    "bopomofo": "3105-312f", "hangul-compat": "3131-318e", "cjk-enclosed": "3200-321e 3220-33ff",
    "cjk-a": "3400-34ff", "cjk": "4e00-9fff", "yi": "a000-a48c a490-a4c6", "lisu": "a4d0-a4ff", "vai": "a500-a62b",
    "hangul": "ac00-d7a3", "cjk-compat": "f900-fa6d fa70-fad9",
    "presentation": "fb1d-fb36 fb46-fbc2 fbd3-fd8f fd92-fdc7", "half": "ff01-ffbe ffc2-ffc7 ffe0-ffe6 ffe8-ffee",
    "linear-b": "1000d-10026 10028-1003a 1003f-1004d 10050-1005d", "gothic": "10330-1034a",
    "deseret": "10400-1044f", "cuneiform": "12000-12399", "hieroglyphs": "13000-1342e",
    "musical": "1d100-1d126 1d129-1d1e8", "math-letters": "1d400-1d454 1d456-1d49c 1d552-1d6a5 1d6a8-1d7cb",
    "adlam": "1e900-1e94b 1e950-1e959 1e95e-1e95f", "emoji": "1f300-1f6d7 1f700-1f773 1f780-1f7d8 1f900-1fa53",
    "cjk-b": "20000-200ff",

}
RANGES = {name: [tuple(int(x, 16) for x in r.split("-")) for r in text.split()] for name, text in SCRIPTS.items()}
NAMES = sorted(RANGES)

SPACES = [" ", "\t", "\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\xa0", "\u1680", "\u180e", "\u2000", "\u2003",
          "\u2009", "\u200a",
          "\u200b", "\u2028", "\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff", "\u2581"]
JOINERS = ["\u200c", "\u200d", "\ufe0f", "\ufe0e", "\u20e3", "\u0300", "\u0301", "\u0308", "\u0323", "\u0338",
           "\u05b0", "\u0651", "\u093c", "\u094d", "\u0e31", "\u0f71", "\u3099", "\u309a", "\u0345", "\u1dc4"]
PICTURES = ["\U0001f600", "\U0001f642", "\U0001f469", "\U0001f680", "\U0001f468", "\U0001f466", "\u2764", "\u2705",
            "\U0001f1e9", "\U0001f1ea", "\U0001f3fd", "\U0001f3f4", "\U000e0067", "\U000e007f", "\U0001f999",
            "\U0001f9d1", "1", "#"]
WORDS = ("the of and to in is that it was for on are with as his they be at one have this from or had by hot word but what some "
         "we can out other were all there when up use your how said an each she which do their time if will way about many "
         "then them write would like so these her long make thing see him two has look more day could go come did number "
         "sound no most people my over know water than call first who may down side been now find any new work part take "
         "internationalisation Donaudampfschiff antidisestablishmentarianism HTTPServer camelCase snake_case x86_64").split()
PIECES = ["I'm", "you're", "'Tis", "we'VE", "DON'T", "he'll", "'s", "'S", "\u017f", "'\u017f", "\u2019s", "3.14",
          "1,000,000", "0x1F", "2026-11-22",
          "12:30", "50%", "$5", "\u20ac9", "a+b=c", "foo(bar)", "[0]", "{}", "<br/>", "http://x.org/?a=1&b=2", "C++",
          "#!/bin/sh", "...",
          "?!", "--", "---", "\u2014", "\u00ab", "\u00bb", "\u201e", "\u00bd", "\u2163", "\u0663", "\uff11", "\u4e00",
          "==", "!==", "\t\tif", "\\n",
          "//", "/*", "*/", "**", "``", "~", "^", "_", "__init__", "@", "&&", "||"]
SPELLED = ["<s>", "</s>", "<unk>", "<pad>", "<bos>", "<eos>", "<0x41>", "<0x0A>", "<|endoftext|>", "<|im_start|>",
           "<|im_end|>", "<|eot_id|>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]", "<mask>", "<unused0>",
           "[PAD32011]", "[PAD50278]", "<|user|>", "<|end|>", "<image>", "[UNUSED_0]", "<filename>", "\u0120the",
           "\u2581the", "[multimodal]"]


class Numbers:
    """SplitMix64: the same numbers in every version of every language."""

    def __init__(self, seed):
        self.state = seed * 0x9E3779B97F4A7C15 & (1 << 64) - 1

    def below(self, n):
        self.state = self.state + 0x9E3779B97F4A7C15 & (1 << 64) - 1
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
        z = (z ^ z >> 27) * 0x94D049BB133111EB & (1 << 64) - 1
        return (z ^ z >> 31) % n

    def one(self, items):
        return items[self.below(len(items))]


def character(n, name=None):
    ranges = RANGES[name or n.one(NAMES)]
    low, high = n.one(ranges)
    return chr(low + n.below(high - low + 1))


def of_script(n):
    name, text = n.one(NAMES), ""
    for _ in range(1 + n.below(8)):
        text += "".join(character(n, name) for _ in range(1 + n.below(9))) + n.one([" ", " ", "", ", ", ". ", "\n"])
    return text


def prose(n):
    text = ""
    for _ in range(1 + n.below(16)):
        word = n.one(PIECES) if n.below(4) == 0 else n.one(WORDS)
        word = [word, word, word.capitalize(), word.upper()][n.below(4)]
        text += word + n.one([" ", " ", " ", " ", "  ", "\n", "", ", ", "\n\n", "\t"])
    return text


def numbers(n):
    digits = n.one(["0123456789", "0123456789", "\u0660\u0661\u0665\u0669", "\uff10\uff19", "\u00b2\u00bd\u2167\u3007"])
    return n.one(["", " ", ", "]).join("".join(n.one(digits) for _ in range(1 + n.below(9)))
                                       for _ in range(1 + n.below(6)))


def spaces(n):
    text = ""
    for _ in range(1 + n.below(8)):
        text += n.one(SPACES) * (1 + n.below(4)) + n.one(["", n.one(WORDS), n.one(PIECES), character(n)])
    return text


def controls(n):
    return "".join(n.one([chr(n.below(32)), chr(0x7F + n.below(33)), n.one(WORDS), " ", "\x00",
                          character(n, "punctuation")])
                   for _ in range(1 + n.below(12)))


def pictures(n):
    return "".join(n.one(PICTURES + JOINERS[:5] + [character(n, "emoji"), " ", n.one(WORDS)])
                   for _ in range(1 + n.below(12)))


def marks(n):
    return "".join(n.one([character(n, "latin"), character(n, "greek"), character(n, "jamo"), character(n, "hangul"),
                          character(n, "latin-additional"), n.one(WORDS), character(n)])
                   + "".join(n.one(JOINERS) for _ in range(n.below(4))) + n.one(["", "", " "])
                   for _ in range(1 + n.below(8)))


def broken(n):
    good = (of_script(n) + prose(n)).encode()
    data = bytearray(good[:8 + n.below(60)])
    for _ in range(1 + n.below(4)):
        data[n.below(len(data))] = n.one([0xFF, 0xF8, 0xC0, 0x20 + n.below(0x5F)])
    return bytes(data).decode("utf-8", "replace")


def runs(n):
    text = ""
    for _ in range(1 + n.below(3)):
        what = n.one([" ", "\n", "a", "A", "0", "=", "-", ".", "\t", " \n", "ab", "\u4e00", "\U0001f600", "\u00e9",
                      "\u2581", "!", "\r\n"])
        text += what * (1 + n.below(120)) + n.one(["", " ", "x", "\n", n.one(WORDS)])
    return text


def spelled(n):
    return "".join(n.one([n.one(SPELLED), n.one(SPELLED), " ", n.one(WORDS), "\n", n.one(PIECES)])
                   for _ in range(1 + n.below(8)))


def anything(n):
    return "".join(character(n) for _ in range(1 + n.below(30)))


def mixture(n):
    return "".join(n.one(KINDS[:-1])(n)[:20] for _ in range(1 + n.below(4)))


KINDS = [of_script, prose, numbers, spaces, controls, pictures, marks, broken, runs, spelled, anything, mixture]


def strings(count):
    return ["", " ", "  "][:count] + [KINDS[i % len(KINDS)](Numbers(i)) for i in range(3, count)]
