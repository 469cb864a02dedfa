"""What every report and model card says beside its numbers."""

from __future__ import annotations

MEANING = (
    "A model says which of its outputs a recording most resembles, by what annotators wrote or "
    "actors were asked to show. It does not say what a person feels. Faces and voices are loose "
    "and culture-dependent signs of inner states."
)
INTENDED = (
    "Research on and teaching of audio-visual modelling: training, comparing and reproducing "
    "models; behaviour with missing or noisy modalities; annotation aids that a person checks; "
    "recordings of people who know and agree."
)
OUT_OF_SCOPE = (
    "Decisions about people: to judge, rank, select, monitor or treat them, in hiring and work, "
    "policing, courts and borders, education and examinations, insurance and credit, health or "
    "advertising. People who have not agreed. In the European Union the AI Act (Regulation (EU) "
    "2024/1689, Article 5(1)(f)) prohibits systems that infer emotions at the workplace and in "
    "education institutions, except for medical or safety reasons."
)
LIMITS = (
    "Scores are of recordings like those of the corpus; nothing is known of other languages, ages, "
    "cameras and rooms, or of spontaneous behaviour where people acted.",
    "An interval tells how a score would vary with other speakers, and nothing about another "
    "corpus or another training. Look at the interval, not at the last digit.",
    "Accuracy differs between people: see the scores of single speakers.",
)
SENSITIVE = (
    "This page holds images and sound of identifiable people. Treat it as you treat the corpus: "
    "its terms and what these people agreed to decide who may see it."
)
