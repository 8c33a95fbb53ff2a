"""What makes a script a chapter: run settings, records, exercise checks, quizzes.

Only what a chapter needs is imported here; the builders (site, labs, ledger, doctor, command line)
are modules of their own.
"""

from causalrec_lib.course.check import check
from causalrec_lib.course.quiz import quiz
from causalrec_lib.course.reports import report
from causalrec_lib.course.run import Run, say, start

__all__ = ["Run", "check", "quiz", "report", "say", "start"]
