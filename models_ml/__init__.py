"""A tidy panel in, probabilities of failure out.

Belongs here: the list of variables with their theme and sentences (`features`), any tidy panel brought to one form (`tidy`), the
person-period expansion (`panel`), the discrete-time hazard model (`hazard`) and the families that estimate it (`families`), its level
(`calibrate`), its training with a time split (`train`), its evaluation on closed windows (`evaluate`), what its alerts are worth for
companies (`detection`), families side by side on a panel (`backtest`, `backtest_report`), its reasons in French (`explain`), its model
card (`card`) and its artefact on disk (`artefact`).

Does not belong here: SQL, Dagster, files other than the artefact, the wall clock. The caller gives polars frames whose rows are
(entity, period); a row holds only what was known at the end of its period. Dates are arguments. Anything learned from data is
learned in `train`, and nowhere else.

Time: `period` is the first day of the month (or year) observed; an outcome at horizon h is an event dated after the end of
`period` and at most h months later. Same panel, same parameters, same bytes: on another day and with another thread count.
"""
