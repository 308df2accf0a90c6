"""The recommendation: for a size and a tolerated gradient error, the cheapest estimator that qualifies."""

from bench.recommend.answer import Answer as Answer
from bench.recommend.answer import Question as Question
from bench.recommend.answer import QuestionError as QuestionError
from bench.recommend.answer import Recommendation as Recommendation
from bench.recommend.answer import recommend as recommend

__all__ = ["Answer", "Question", "QuestionError", "Recommendation", "recommend"]
