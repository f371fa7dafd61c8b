"""The floors of the package: a module imports from its own floor and those below."""

# From the top down; a module may import its own floor and those below.
FLOORS = [
    ["cli", "__main__"],
    ["sweep"],
    ["autoconfig", "explain", "profiling", "report_page", "run_diff", "sanity_checks"],
    ["training", "inference", "onnx_export", "gradient_check"],
    ["evaluation"],
    ["runs"],
    ["builder", "weights"],
    ["config", "network", "data", "backbones", "parallel", "storage"],
    ["layers", "optimizers"],
    ["ops"],
    ["errors", "launcher", "types", "streams"],
    ["textbook"],  # uses nothing of the package; only explain uses it, to recompute what it shows
]
