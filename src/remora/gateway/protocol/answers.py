"""The bodies of answers, for the OpenAPI document alone: answers are written without pydantic."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class PromptTokensDetails(BaseModel):
    """Where the prompt's tokens came from."""

    cached_tokens: int = Field(description="Found in the prefix cache, so not computed again.")


class UsageBody(BaseModel):
    """Token counts: the prompt once, all choices together."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


class TopLogprob(BaseModel):
    """A token that was likely."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprobs(TopLogprob):
    """The chosen token, and the likeliest."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """Log-probabilities of an answer."""

    content: list[TokenLogprobs]
    refusal: None


class FunctionCallBody(BaseModel):
    """A function's name, and the JSON text of its arguments."""

    name: str
    arguments: str


class ToolCallBody(BaseModel):
    """A function that the model calls."""

    id: str
    type: Literal["function"]
    function: FunctionCallBody


class AssistantMessage(BaseModel):
    """What the model said."""

    role: Literal["assistant"]
    content: str | None = Field(description="Null if there is nothing but tool calls.")
    refusal: None
    tool_calls: list[ToolCallBody] = Field([], description="Left out if there are none.")


FinishReasonBody = Literal["stop", "length", "tool_calls", "abort"]


class ChatChoice(BaseModel):
    """One of ``n`` answers."""

    index: int
    message: AssistantMessage
    logprobs: ChatLogprobs | None
    finish_reason: FinishReasonBody | None


class ChatAnswer(BaseModel):
    """A chat completion; with ``stream`` it comes as events instead."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str = Field(
        description="Digest of what answers: base, settings and adapter version."
    )
    choices: list[ChatChoice]
    usage: UsageBody


class CompletionLogprobsBody(BaseModel):
    """Four lists, one entry for each token."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    """One of ``n`` texts for each prompt."""

    index: int
    text: str
    logprobs: CompletionLogprobsBody | None
    finish_reason: FinishReasonBody | None


class CompletionAnswer(BaseModel):
    """A completion; with ``stream`` it comes as events instead."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: UsageBody


class ReplayBody(BaseModel):
    """How the lines of the adapter's probe.jsonl came out."""

    lines: int
    texts: int
    reproduced: int = Field(description="Texts that it says now as it did after training.")
    mean_skew: float | None = Field(description="Of log-probabilities, against training [nats].")
    max_skew: float | None


class ProbeBody(BaseModel):
    """How far an adapter moves the base's scores on the probe prompt."""

    prompt: str = Field(description="Digest of the prompt's token ids.")
    max_difference: float = Field(description="The largest difference of two scores.")
    kl_divergence: float = Field(description="Mean over the prompt's tokens [nats].")
    replay: ReplayBody | None
    warnings: list[str]


class DefaultsBody(BaseModel):
    """How the tokens of a request are chosen that leaves these parameters out."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float


class ModelAnswer(BaseModel):
    """The base model or an adapter."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    root: str = Field(description="The base model.")
    parent: str | None = Field(description="The base model; null for the base itself.")
    max_model_len: int = Field(description="Tokens of prompt and answer together.")
    state: Literal["registered", "loading", "ready", "failed"] = Field(
        description="A registered adapter is on disk and loads on first use."
    )
    loaded: bool
    reason: str | None = Field(description="Why it failed.")
    digest: str
    rank: int | None
    runtime: Literal["remora", "transformers"] | None = Field(
        description="Whose modeling code runs it; transformers' is slower. Null while loading."
    )
    probe: ProbeBody | None = Field(description="Null for the base, and before the first load.")
    defaults: DefaultsBody | None = Field(
        description="Null while the server behind a front has not told them."
    )


class LoadBody(BaseModel):
    """Requests in the batch, and in the queue."""

    running: int
    waiting: int


class ModelListAnswer(BaseModel):
    """The base first, then the adapters by name."""

    object: Literal["list"]
    data: list[ModelAnswer]
    release: str | None = Field(None, description="The share's release that is served.")
    load: LoadBody | None = Field(None, description="How busy the server is now.")


class DeletedAnswer(BaseModel):
    """The adapter that is no longer served."""

    id: str
    object: Literal["model"]
    deleted: bool


class TokenizeAnswer(BaseModel):
    """Token ids, each with its text."""

    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str]


class DetokenizeAnswer(BaseModel):
    """The text of token ids."""

    prompt: str


class LiveAnswer(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class ReadyAnswer(BaseModel):
    """How far the backend has come."""

    phase: Literal["loading", "ready", "draining", "failed"]
    detail: str
    progress: float = Field(ge=0, le=1)


class UpstreamAnswer(BaseModel):
    """The server behind a front."""

    presence: Literal["asleep", "waking", "awake"] = Field(
        description="By what it answered, and how long ago."
    )
    since: float | None = Field(description="Seconds since 1970; null if nothing was seen yet.")
    detail: str = Field(description="How far a wake has come, or why the last one failed.")
    progress: float | None = Field(ge=0, le=1, description="How far its model is loaded.")
    running: int = Field(description="Requests that it answers for this front.")
    waiting: int = Field(description="Requests that wait until it is awake.")
    replicas: int = Field(description="Replicas of it that this front knows.")
    hours_awake: float = Field(description="Hours of this day (UTC) that it was awake.")
    max_hours_awake: float = Field(description="Hours a day that it may be; 0 is any number.")


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str = Field(description="What is wrong, and what to do next.")
    type: str
    param: str | None = Field(description="The parameter that is to blame.")
    code: str | None


class ErrorAnswer(BaseModel):
    """Every error has this shape, in a stream too."""

    error: ErrorDetail
