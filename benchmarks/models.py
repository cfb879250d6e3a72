"""The estimator for each set of `sets.py`: default parameters but for what is named here."""

from sets import GENERATED

from sklearn_rnn import OutputFeedbackTagger, SequenceClassifier, SequenceTagger

MODELS = {
    "atis": SequenceTagger((100,)),
    "conll2000": SequenceTagger((100,)),
    "ud_en_ewt": SequenceTagger((100,)),
    "protein_ss": SequenceTagger((32,), bidirectional=True),
    "ocr_letters": OutputFeedbackTagger((64,), decoding="viterbi"),
    "japanese_vowels": SequenceClassifier((100,)),
    "pendigits": SequenceClassifier((64,)),
    "gun_point": SequenceClassifier((100,)),
    "basic_motions": SequenceClassifier((100,), bidirectional=True),
    "italy_power": SequenceClassifier((64,)),
    "digits8x8": SequenceClassifier((64,), bidirectional=True),
    "names18": SequenceClassifier((100,)),
    "ud_af_afribooms": SequenceTagger((100,), bidirectional=True),
    "occupancy": SequenceTagger(),
    "occupancy, no light or time": SequenceTagger(),
    "beef": SequenceClassifier(),
    "coffee": SequenceClassifier(),
    "chinatown": SequenceClassifier(),
    "pickup_gesture": SequenceClassifier(),
    "acsf1": SequenceClassifier(),
} | {name: SequenceTagger() for name in GENERATED}
