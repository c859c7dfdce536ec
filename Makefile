# Each target sets itself up: it needs Python 3.10 or newer and make, and nothing else.
MAKEFLAGS += --no-print-directory
bin := .venv/bin

.PHONY: help demo quick test docs setup clean

help:
	@echo "make demo   the paper's randomization test on embedded images: a table, out/report.json, out/figure.png"
	@echo "make test   every gate: lint, format, import floors, types, tests, doctests"
	@echo "make quick  what takes about a minute: lint, format, import floors, and the tests that are not slow"
	@echo "make docs   the site, into build/docs: warnings are errors, links are checked"
	@echo "make setup  only create or refresh .venv"
	@echo "make clean  remove what the others made"

setup:
	@scripts/setup

# Threads that wait for each other without turning in circles: a little slower on an idle machine,
# but not ten times slower on a busy one.
demo: export OMP_WAIT_POLICY = PASSIVE
demo: setup
	$(bin)/corruptlab test --data fashion-mnist-mini --model mlp-1x512 --out out

test: setup
	@scripts/check

quick: setup
	@scripts/check --quick

docs: export OMP_WAIT_POLICY = PASSIVE
docs: setup
	$(bin)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/docs
	$(bin)/python scripts/check_site.py build/docs

clean:
	rm -rf .venv out build dist docs/api docs/examples .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
