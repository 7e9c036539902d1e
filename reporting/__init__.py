"""Rows in, report files out.

Belongs here: the shape of a monthly report (`model`), its HTML page and the index of a month (`html`, `templates/`),
its workbook (`xlsx`), the message that tells of a list (`digest`), French typography (`french`), labels of French
nomenclatures (`nomenclature`), charts and map as inline SVG (`charts`, `department_map`, `contours.json`).

Does not belong here: SQL, dagster, ranking or selection of companies, thresholds, any wall clock. A report is a pure
function of its rows: same rows, same bytes, on any day, in any time zone.
"""
