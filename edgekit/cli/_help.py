"""The page of `edgekit --help` as click lays it out; written by scripts/gen_docs, do not edit."""

PAGE = """\
Usage: edgekit [OPTIONS] COMMAND [ARGS]...

  Compress a trained model for a device, deploy it there, and prove it there.

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
  init         Write an edgekit.toml for this folder.
  doctor       Say what is missing here or on a device, and how to mend it.
  targets      List kinds of machine, or show one.
  recipes      List recipes: what they do and when to use them.
  inspect      Show what a model is and on which targets it fits.
  check        Check project, data and recipe without doing anything.
  compile      Compress a model for a target and write a bundle.
  export       Write a model as C for a microcontroller's own project.
  sensitivity  Rank the layers of a model by what int8 costs them.
  compare      Compare a compressed model with its float one, layer by layer.
  variants     Make a model by several recipes and compare the forms.
  search       Search the best models for a device within a budget.
  deploy       Compile, push, activate and prove a model on a device.
  status       Show what is active on a device.
  rollback     Make the previous release active again.
  profile      Measure latency and memory on a device.
  evaluate     Measure accuracy on a device.
  gate         Hold a build against budgets and a baseline, on its devices.
  baseline     Save, list and remove what builds are held against.
  report       Show a stored run as table, markdown, JSON or HTML.
  sbom         Write what a bundle is made of, and how it was made.
  keys         Make, install and rotate the keys that sign releases.
  devices      Add, list, remove and trust devices.
  emulator     Bring emulated devices up and down.
  selftest     Inject faults and see whether edgekit keeps its promises.
"""
