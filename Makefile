# Every target sets up what it needs first: its own virtual environment with the versions of
# constraints.txt. PYTHON may name another interpreter (3.11 or later).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Where the corpora of `make weights` lie, and where its stores, runs and model files go.
DATA ?= ../shared/data
WEIGHTS ?= weights

.PHONY: help demo test test-all lowest bench docs weights lint clean

help:
	@echo "make demo      synthetic corpus -> streams -> training -> evaluation -> prediction -> report"
	@echo "make test      format, lint, types and fast tests (what CI runs)"
	@echo "make test-all  all tests, the slow ones too"
	@echo "make lowest    fast tests with the lowest versions that pyproject.toml allows"
	@echo "make docs      the documentation as a site, in build/site; any broken link is an error"
	@echo "make bench     speed, ours beside the simple version, with affuse bench; half an hour"
	@echo "make weights   train every model file from DATA=$(DATA) into WEIGHTS=$(WEIGHTS); hours"

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check \
	  -c constraints.txt -e ".[dev]"
	touch $(READY)

demo: $(READY)
	$(BIN)/affuse demo --out demo

lint: $(READY)
	$(BIN)/ruff format --check src tests examples docs/results mkdocs_hooks.py
	$(BIN)/ruff check src tests examples docs/results mkdocs_hooks.py
	$(BIN)/mypy

# Tests that share a fixture go to one worker (`worksteal`); drawn tests have fewer examples.
# Without bytecode each of their processes would compile torch anew, for half of its time.
TESTS := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 2 --dist worksteal

test: lint
	$(TESTS) -m "not slow" --hypothesis-profile quick

test-all: lint
	$(TESTS)

# Of torch the tested version: earlier ones come with 3 GB of CUDA libraries.
LOWEST := .lowest
LOWEST_TESTS ?= tests/media tests/metrics tests/inference tests/training/test_recipe.py \
  tests/models/test_contract.py tests/cli/test_cli.py tests/cli/test_whole_path.py \
  tests/features/test_sound.py tests/models/frozen/test_wav2vec2.py
UV = $(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python \
  $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS))

lowest:
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch uv
	$(LOWEST)/bin/python -m pip freeze | grep '^torch==' > $(LOWEST)/torch.txt
	$(UV) --resolution lowest-direct --override $(LOWEST)/torch.txt ".[demo,wav2vec2]"
	$(UV) pytest hypothesis soundfile librosa scikit-learn
	PYTHONPATH=src $(LOWEST)/bin/python -m pytest -m "not slow" $(LOWEST_TESTS)

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site
	@echo build/site/index.html

bench: $(READY)
	$(BIN)/python -m tests.bench

# The bundled model, and the backbones that are too large for that. Every step goes
# on where it was interrupted; one of them alone: make weights/ferplus-ir50/fold0/model.safetensors
STORES := $(WEIGHTS)/stores
FACES := $(foreach net,small efficientface ir50,$(WEIGHTS)/ferplus-$(net)/fold0/model.safetensors)
TRAIN = $(BIN)/affuse train $(1) --store $(STORES)/$(2) --out $(WEIGHTS)/$(3) --resume

weights: $(WEIGHTS)/bundled.safetensors $(FACES)

$(STORES)/ferplus.done $(STORES)/diffusionfer.done: $(STORES)/%.done: | $(READY)
	$(BIN)/affuse prepare $* $(DATA)/$* --store $(STORES)/$* --streams video/aligned48
	touch $@

# Sound through the first layers of Whisper, as it is and changed, and sounds without a voice.
WHISPER ?= $(DATA)/whisper/whisper-base-encoder.safetensors
EAR := audio/whisper-base-layers4
HEAR = $(BIN)/affuse prepare $(1) $(2) --store $(STORES)/$(3) --streams $(EAR) --source $(EAR)=$(WHISPER)
$(STORES)/voices.done: | $(READY)
	$(call HEAR,nemo,$(DATA)/voices/nemo,nemo)
	$(call HEAR,ravdess,$(DATA)/ravdess_speech,ravdess)
	$(call HEAR,ravdess,$(DATA)/ravdess_speech,ravdess-noise) --change white-noise=0:25
	$(call HEAR,ravdess,$(DATA)/ravdess_speech,ravdess-babble) --change babble=0:25
	$(call HEAR,ravdess,$(DATA)/ravdess_speech,ravdess-room) --change room=0.15:0.8 --change gain=-20:6
	$(BIN)/affuse synth sounds $(WEIGHTS)/sounds
	$(call HEAR,folder,$(WEIGHTS)/sounds,sounds)
	touch $@

# On small pictures first: most is learned there, at a fraction of the time.
GROWN = backbone=$(WEIGHTS)/ferplus-efficientface$(1)/fold0/model.safetensors
$(WEIGHTS)/ferplus-efficientface/fold0/model.safetensors: $(STORES)/ferplus.done
	$(call TRAIN,ferplus-efficientface model.size=64 augmentation.erasing=0,ferplus,ferplus-efficientface-64)
	$(call TRAIN,ferplus-efficientface model.size=112 epochs=14 optimiser.lr=0.0015 \
	  $(call GROWN,-64),ferplus,ferplus-efficientface-112)
	$(call TRAIN,ferplus-efficientface epochs=3 optimiser.lr=0.0005 \
	  $(call GROWN,-112),ferplus,ferplus-efficientface)

$(WEIGHTS)/ferplus-%/fold0/model.safetensors: $(STORES)/ferplus.done
	$(call TRAIN,ferplus-$*,ferplus,ferplus-$*)

# New people in five folds, and each corpus by a model of the other, calibrate the voice; the
# bundled one has not heard six of the people.
VOICES := --store $(STORES)/nemo --store $(STORES)/ravdess \
  $(foreach copy,noise babble room,--copies $(STORES)/ravdess-$(copy)) --allow missing --resume
$(WEIGHTS)/voice/fold0/model.safetensors: $(STORES)/voices.done
	$(BIN)/affuse train voices-whisper protocol=nemo/5fold+ravdess/5fold epochs=8 $(VOICES) \
	  --out $(WEIGHTS)/voice-folds
	$(BIN)/affuse evaluate $(WEIGHTS)/voice-folds
	$(BIN)/affuse train voices-whisper protocol=leave-one-corpus-out epochs=8 $(VOICES) \
	  --out $(WEIGHTS)/voice-corpora
	$(BIN)/affuse evaluate $(WEIGHTS)/voice-corpora
	$(BIN)/affuse train voices-whisper $(VOICES) --out $(WEIGHTS)/voice

$(WEIGHTS)/face/fold0/model.safetensors: $(STORES)/ferplus.done $(STORES)/diffusionfer.done
	$(BIN)/affuse train faces-small --store $(STORES)/ferplus --store $(STORES)/diffusionfer \
	  --out $(WEIGHTS)/face --resume

$(WEIGHTS)/bundled.safetensors: $(WEIGHTS)/face/fold0/model.safetensors \
  $(WEIGHTS)/voice/fold0/model.safetensors
	$(BIN)/affuse evaluate $(WEIGHTS)/face --role development
	$(BIN)/affuse combine --audio $(WEIGHTS)/voice --video $(WEIGHTS)/face \
	  --audio-held-back $(foreach run,folds corpora,$(WEIGHTS)/voice-$(run)/evaluation/predictions.csv) \
	  --ratings $(STORES)/diffusionfer --sounds $(STORES)/sounds --half --out $@

clean:
	rm -rf demo $(VENV) $(LOWEST)
