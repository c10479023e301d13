"""What system prompts have in common: sentences that say nothing about the one who wrote them, and leak nothing."""

from __future__ import annotations

from typing import Final

_LINES: Final = """\
You are a helpful assistant. You are a helpful, harmless and honest AI assistant.
You are a helpful assistant that answers questions. You are a helpful AI assistant that helps users.
You are ChatGPT, a large language model trained by OpenAI, based on the GPT-4 architecture. Knowledge cutoff:
You are Claude, a large language model trained by Anthropic. You are Gemini, a large language model built by Google.
Answer the question as truthfully as possible using the provided context.
If you don't know the answer, just say that you don't know, don't try to make up an answer.
Use three sentences maximum and keep the answer concise.
Use the following pieces of context to answer the user's question.
If the answer is not contained within the text below, say "I don't know".
Answer as concisely as possible. Be concise, be polite and be helpful. Think step by step.
Answer the user's questions in the same language as the user. Always respond in the language of the user.
You have access to the following tools. Respond in JSON format. Respond with valid JSON only.
Format your answer in Markdown. Do not include any explanation. Do not make up information.
I'm sorry, but I can't help with that. As an AI language model, I do not have personal opinions.
I cannot provide legal, medical or financial advice. Please consult a qualified professional.
"""
BOILERPLATE: Final = tuple(_LINES.splitlines())
