"""What verl's agent loops need around them: a tokenizer, a configuration, and a model on script."""

from typing import Any

from omegaconf import OmegaConf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from verl.experimental.agent_loop.agent_loop import DictConfigWrap
from verl.workers.rollout.replica import TokenOutput

__all__ = ["Script", "given"]

END = "<|end|>"
TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}" + END + "{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
CONFIG = {
    "actor_rollout_ref": {
        "rollout": {
            "prompt_length": 4000,
            "response_length": 4000,
            "full_determinism": True,
            "multi_turn": {
                "max_user_turns": 9,
                "max_assistant_turns": 9,
                "max_parallel_calls": 3,
                "max_tool_response_length": 1000,
                "tool_response_truncate_side": "right",
                "format": "hermes",
            },
        }
    },
    "data": {},
}


def tokenizer() -> Any:
    """One token a byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {each: number for number, each in enumerate([*alphabet, END])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token=END, pad_token=END, chat_template=TEMPLATE
    )


TOKENIZER = tokenizer()


class Script:
    """Says one thing after another, and keeps what it was asked."""

    def __init__(self, *says: str) -> None:
        self.left = [*says]
        self.asked: list[str] = []

    async def generate(self, prompt_ids: list[int], **_: Any) -> TokenOutput:
        """As verl's client of a model server."""
        self.asked.append(TOKENIZER.decode(prompt_ids))
        said = TOKENIZER.encode(self.left.pop(0))
        return TokenOutput(token_ids=[*said, TOKENIZER.eos_token_id])


def given(script: Script) -> dict[str, Any]:
    """What verl gives to every agent loop."""
    config = OmegaConf.create(CONFIG)
    return {
        "trainer_config": DictConfigWrap(config),
        "server_manager": script,
        "tokenizer": TOKENIZER,
        "processor": None,
        "hf_model_type": None,
        "dataset_cls": None,
        "data_config": DictConfigWrap(config.data),
    }
