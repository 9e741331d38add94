# ruff: noqa: T201 - it prints, as a notebook shows
# %% [markdown]
# # A campaign in Python
#
# Open this file as a notebook (Jupyter with jupytext, VS Code, Spyder, PyCharm), or run it: `python campaign.py DIR`.
# Without a directory it reads the published quickstart, which is part of Boxbench.

# %%
import sys

import bench
from bench.util.package_data import replay_dir

campaign = bench.open_campaign(sys.argv[1] if len(sys.argv) > 1 else replay_dir())
print(campaign.scenarios, len(campaign.records), "trials on", campaign.manifest.host["cpu_model"])

# %% [markdown]
# ## The answer: medians with intervals, and ratios with verdicts

# %%
results = campaign.results()
ready = results[results["metric"] == "endpoint.ready_ns"].set_index("cell")
print((ready[["median", "low", "high"]] / 1e6).round(1).assign(n=ready["n"], bracket=ready["bracket"]))

# %%
comparisons = campaign.comparisons()
ratios = comparisons[comparisons["metric"] == "endpoint.ready_ns"]
print(ratios[["box", "baseline_box", "ratio", "low", "high", "verdict"]].round(2).to_string(index=False))

# %% [markdown]
# ## Every boot: a tidy frame
#
# Censored boots are infinite: medians count them as slower than all others. Leave them out where a mean is wanted.

# %%
frame = campaign.frame()
boots = frame[(frame["metric"] == "endpoint.ready_ns") & ~frame["warmup"]]
wide = boots.pivot_table(index="block", columns="cell", values="value", aggfunc="first") / 1e6
print(wide.round(1))

# %%
# Where the time goes in the first scenario: medians of phases, in ms.
phases = results[results["metric"].str.startswith("phase.") & (results["scenario"] == campaign.scenarios[0])]
print((phases.pivot_table(index="metric", columns="box", values="median", aggfunc="first") / 1e6).round(2))

# %% [markdown]
# ## Figures: those of the report, for a page, a stage or a paper
#
# A notebook shows a figure that ends a cell: `campaign.figure("hello-ecdf")`. `figure.data` has its numbers.

# %%
for figure in campaign.figures("talk"):
    print(f"{figure.name}: {figure.title}")

# %% [markdown]
# ## What it took before the first start
#
# Older campaigns, such as this one, have not noted it: then there are no rows.

# %%
print(campaign.preparation())
