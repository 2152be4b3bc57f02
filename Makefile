# One target for each job of CI; `make ci` runs all of them. The jobs themselves are in .ci/run.

JOBS = fmt lint test features test-socket test-template faults soak doc examples loom miri layers unsafe-map parity bfd abort bench-smoke package bench

.PHONY: ci $(JOBS)

ci:
	.ci/run

$(JOBS):
	.ci/run $@
