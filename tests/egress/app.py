"""An app as its author wrote it: the official SDK with its own base URL and its own key, and nothing of us in it."""

from __future__ import annotations

import json
import sys

from openai import APIStatusError, OpenAI
from openai.types.chat import ChatCompletionMessageParam


def main() -> None:
    """Ask what the command line says, `whole` or `stream`; print what came back as JSON."""
    how, text = sys.argv[1:]
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": text}]
    with OpenAI(api_key="sk-their-own-key", max_retries=0) as client:
        ask = client.chat.completions.create
        try:
            if how == "stream":
                pieces = [
                    c.choices[0].delta.content or "" for c in ask(model="scripted", messages=messages, stream=True)
                ]
            else:
                pieces = [ask(model="scripted", messages=messages).choices[0].message.content or ""]
            sys.stdout.write(json.dumps({"said": "".join(pieces), "pieces": len(pieces)}))
        except APIStatusError as exc:
            sys.stdout.write(json.dumps({"status": exc.status_code, "code": exc.code}))


if __name__ == "__main__":
    main()
