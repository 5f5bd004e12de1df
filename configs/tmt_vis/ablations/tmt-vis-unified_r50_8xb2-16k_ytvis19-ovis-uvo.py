"""Table 6: TCM chooses among all categories of the joint taxonomy in training.

The paper sweeps N_T to 100 and two of its three datasets have 25 and 40 categories,
so its N_T cannot count categories of one dataset (A12). Set N_T in
compilation.num_taxonomy.
"""

_base_ = "../tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo.py"

model = dict(head=dict(vocab_mode=dict(train="unified")))
