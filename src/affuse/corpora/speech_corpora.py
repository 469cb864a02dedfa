"""Corpora of acted speech in several languages: what their names tell, and their terms."""

from __future__ import annotations

from affuse.corpora.named_speech import NamedSpeech

_SCORE_ON = "score on it, do not give away weights trained on it"

NEMO = NamedSpeech(
    name="nemo",
    pattern=r"(?P<speaker>[A-Z]{2}\d)_(?P<emotion>[a-z]+)_(?P<sentence>\d+)",
    emotions={
        "anger": "angry",
        "fear": "fearful",
        "happiness": "happy",
        "neutral": "neutral",
        "sadness": "sad",
        "surprised": "surprised",
    },
    sexes=dict.fromkeys(("EB0", "IC0", "KD0", "MK0"), "female")
    | dict.fromkeys(("KS0", "MP0", "SM0", "TP0", "WR0"), "male"),
    languages={"": "Polish"},
    licence="CC BY-NC-SA 4.0 (nEMO, Christop 2024)",
    example="EB0_anger_11.wav",
    recordings=4481,
)

EMOVO = NamedSpeech(
    name="emovo",
    pattern=r"(?P<emotion>dis|gio|neu|pau|rab|sor|tri)-(?P<speaker>(?P<sex>[fm])[123])-"
    r"(?P<sentence>[bdln]\d)",
    emotions={
        "dis": "disgust",
        "gio": "happy",
        "neu": "neutral",
        "pau": "fearful",
        "rab": "angry",
        "sor": "surprised",
        "tri": "sad",
    },
    sexes={"f": "female", "m": "male"},
    languages={"": "Italian"},
    licence=f"no licence text (EMOVO, cite Costantini et al. 2014): {_SCORE_ON}",
    example="dis-f1-b1.wav",
    recordings=588,
)

EMOTALE = NamedSpeech(
    name="emotale",
    pattern=r"(?P<language>DK|EN)_(?P<speaker>\d{3})_(?P<emotion>[ANHSB])_(?P<sentence>\d)",
    emotions={"A": "angry", "B": "bored", "H": "happy", "N": "neutral", "S": "sad"},
    sexes=dict.fromkeys(("004", "005", "006", "015", "018", "019"), "male")
    | dict.fromkeys(
        ("001", "003", "007", "008", "009", "010", "011", "012", "013", "014", "016", "017"),
        "female",
    ),
    languages={"DK": "Danish", "EN": "English"},
    licence=f"no licence (EmoTale, cite Hjuler et al. 2025): {_SCORE_ON}",
    example="DK_001_A_1.wav",
    recordings=800,
    ratings={name: f"mean_{name}_1to5" for name in ("valence", "arousal", "dominance")},
)

ASED = NamedSpeech(
    name="ased",
    pattern=r"[a-zA-Z](?P<emotion>[1-5])-(?P<sentence>\d\d)-\d\d-(?P<sex>0[12])-(?P<speaker>\d\d)",
    emotions={"1": "neutral", "2": "fearful", "3": "happy", "4": "sad", "5": "angry"},
    sexes={"01": "female", "02": "male"},
    languages={"": "Amharic"},
    licence=f"no licence text (ASED, cite Retta et al. 2023): {_SCORE_ON}",
    example="n1-01-01-01-01.wav",
    recordings=2474,
    bad={
        "s4-01-02-02-09": "names a man, the other clips of speaker 09 a woman",
        "s4-04-01-02-23": "names a man, the other clips of speaker 23 a woman",
        "f2-02-01-02-25": "names a man, the other clips of speaker 25 a woman",
    },
)
