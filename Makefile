# Each target is one script or one line; what a target does is in .ci/.

.DEFAULT_GOAL := help
.PHONY: help run build test test-ha deps lint bench fuzz proto conformance

ARGS =

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target text; do printf '  make %-11s %s\n' "$$target" "$$text"; done

run: ## build and run the demo: four simulated cameras, a page, MQTT; needs only Go
	@.ci/build cmd/espcam-bridge plugins
	@exec bin/espcam-bridge demo $(ARGS)

build: ## build all programs into bin/, plugins into bin/plugins/; with OpenCV where it is installed (OPENCV=no: without)
	@.ci/build

test: ## install what the tests need, then run all of them: lint, Go with -race (with and without OpenCV), the page in a browser, a real Home Assistant
	@.ci/test

test-ha: ## only the last of these: with a real Home Assistant Core (1.2 GB in ~/.cache), Mosquitto and the program; some 4 minutes
	@.ci/test ha

deps: ## install what the tests need, and OpenCV (Debian, Ubuntu; does nothing when all is there)
	@.ci/deps

lint: ## gofmt, vet, staticcheck, govulncheck, the page's types, shellcheck
	@.ci/lint

bench: ## measure the relay against a bare write(2), and motion; some 20 minutes (ARGS="--only '1 x 50'")
	@.ci/build cmd/espcam-bridge cmd/espcam-bench
	@exec bin/espcam-bench --bridge bin/espcam-bridge $(ARGS)

fuzz: ## run every fuzz target for FUZZTIME (1m)
	@.ci/fuzz

proto: ## make plugins/pluginpb out of plugins/proto, and check that no plugin breaks (ARGS=--release: this is the state from now on)
	@.ci/proto $(ARGS)

conformance: ## try the plugins that come with the bridge by the conformance kit, and write the outcome into plugins/README.md
	@PLUGIN_PYTHON=$$(.ci/python) || PLUGIN_PYTHON=; export PLUGIN_PYTHON; exec go run ./.ci/conformance plugins/README.md
