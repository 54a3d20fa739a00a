"""Trains a tiny random model by TRL on a served `Buttons`; prints what came of it, as JSON.

    python -m tests.trainers.with_trl.train URL

The vocabulary holds bytes, for prompts, and whole tool calls. Only the latter, and the end of a
message, can be sampled: so a model that knows nothing calls tools often.
"""

import json
import sys
import tempfile

import torch
from datasets import Dataset
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from transformers.utils import get_json_schema
from trl import GRPOConfig, GRPOTrainer
from trl.chat_template_utils import qwen3_chat_template

from openenv_lite.trainers.trl import environment_class

STEPS = 3
ENDS = ["<|im_end|>", "<|im_start|>", "<|pad|>"]
CALLS = [
    f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'
    for name, arguments in [
        ("press", '{"button": "right"}'),
        ("press", '{"button": "left"}'),
        ("press", '{"button": "middle"}'),
        ("reset", "{}"),
    ]
]


def tokenizer():
    """Bytes, and each call as one token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE({byte: place for place, byte in enumerate(alphabet)}, []))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    plain.add_special_tokens(ENDS)
    plain.add_tokens([AddedToken(call, normalized=False) for call in CALLS])
    made = PreTrainedTokenizerFast(
        tokenizer_object=plain, eos_token="<|im_end|>", pad_token="<|pad|>"
    )
    made.chat_template = qwen3_chat_template
    return made


def model(size):
    config = Qwen3Config(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=4096,
    )
    return Qwen3ForCausalLM(config)


def settings(words, folder):
    spoken = {words.eos_token_id, *words.convert_tokens_to_ids(CALLS)}
    return GRPOConfig(
        output_dir=folder,
        max_steps=STEPS,
        per_device_train_batch_size=8,
        num_generations=4,
        max_completion_length=600,
        max_tool_calling_iterations=4,
        learning_rate=0.01,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
        seed=0,
        generation_kwargs={"suppress_tokens": sorted({*range(len(words))} - spoken)},
    )


def main(url):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rewards = []
    kind = environment_class(url, name="Buttons")
    counted = kind.get_reward

    def get_reward(self):
        rewards.append(counted(self))
        return rewards[-1]

    kind.get_reward = get_reward
    words = tokenizer()
    prompt = [{"role": "user", "content": "Press buttons."}]
    rows = [{"prompt": prompt, "seed": seed, "answer": "secret"} for seed in range(6)]
    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=model(len(words)),
            args=settings(words, folder),
            train_dataset=Dataset.from_list(rows),
            processing_class=words,
            environment_factory=kind,
        )
        before = {name: each.clone() for name, each in trainer.model.named_parameters()}
        trainer.train()
    after = dict(trainer.model.named_parameters())
    return {
        "tools": [get_json_schema(tool)["function"] for tool in trainer.tools],
        "rewards": rewards,
        "logged": trainer.state.log_history,
        "changed": [name for name in before if not torch.equal(before[name], after[name])],
        "parameters": len(before),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
