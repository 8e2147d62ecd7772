"""Ready-made programs that ask this endpoint, with its address and a model filled in.

None holds a key: each reads it from the environment, or has a place to put it.
"""

from __future__ import annotations

import json
from string import Template

_TEMPLATES = {
    "curl": """\
curl $url/v1/chat/completions \\
  -H "Authorization: Bearer $$REMORA_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": $model, "messages": [{"role": "user", "content": "Hello!"}]}'
""",
    "Python": """\
import os
from openai import OpenAI

client = OpenAI(base_url="$url/v1", api_key=os.environ.get("REMORA_API_KEY", "none"))
stream = client.chat.completions.create(
    model=$model,
    messages=[{"role": "user", "content": "Hello!"}],
    stream=True,
)
for event in stream:
    print(event.choices[0].delta.content or "", end="", flush=True)
""",
    "JavaScript": """\
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "$url/v1",
  apiKey: process.env.REMORA_API_KEY ?? "none",
});
const answer = await client.chat.completions.create({
  model: $model,
  messages: [{ role: "user", content: "Hello!" }],
});
console.log(answer.choices[0].message.content);
""",
    "LangChain": """\
import os
from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    base_url="$url/v1",
    api_key=os.environ.get("REMORA_API_KEY", "none"),
    model=$model,
)
print(model.invoke("Hello!").content)
""",
    "AI Toolkit playground": """\
In AI Toolkit, under "My Resources", add a model: "Add Remote Model" / "OpenAI compatible".

Endpoint URL   $url/v1/chat/completions
Model name     $name
Authorization  Bearer KEY
""",
}
NAMES = tuple(_TEMPLATES)


def snippet(kind: str, url: str, model: str) -> str:
    """The text of one of `NAMES`."""
    template = Template(_TEMPLATES[kind])
    return template.substitute(url=url, model=json.dumps(model, ensure_ascii=False), name=model)
