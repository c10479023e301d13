"""Gemini's vocabulary in both its spellings, and its ways to say no (ai.google.dev/api; google.rpc.Status)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from detectors.types import Direction
from policies.types import Disclose, Judged
from proxy.bodies.pointer import param
from proxy.codec import Refusal, Usage
from proxy.providers._openai_shapes import DOCS, count_of, told_of

JsonObject = dict[str, Any]
_HUMP: Final = re.compile(r"(?<!^)([A-Z])")

# Keys that the API itself defines. They carry nobody's text, so they are skipped by rule; every other key is scanned.
_WORDS: Final = frozenset(
    """
    additionalProperties allowedFunctionNames anyOf apiAuth apiKeyConfig apiKeyString apiSpec args aspectRatio
    audioTimestamp audioTranscription authConfig authType autoMode autoTruncate avgLogprobs baseModel behavior
    blockReason blockReasonMessage blocked blockingConfidence boolValue cacheTokensDetails cachedContent
    cachedContentTokenCount candidateCount candidates candidatesTokenCount candidatesTokensDetails category
    chosenCandidates chunkId citationMetadata citations code codeExecution codeExecutionResult computerUse
    confidenceScores content contents createTime data dataStore dataStoreSpecs default defs description details
    diarization displayName domain dynamicRetrievalConfig dynamicThreshold embedding embeddings embedContentConfig
    enableAffectiveDialog enableEnhancedCivicAnswers enableWidget endIndex endOffset endTime endpoint engine
    enterpriseWebSearch enum environment error example excludeDomains excludedPredefinedFunctions executableCode
    externalApi featureSelectionPreference fileData fileSearch fileSearchStoreNames fileUri finishMessage finishReason
    flagContentUri format fps frequencyPenalty functionCall functionCallingConfig functionDeclarations functionResponse
    generateContentRequest generationConfig googleMaps googleMapsUri googleMapsWidgetContextToken googleSearch
    googleSearchDynamicRetrievalScore googleSearchRetrieval groundingChunkIndices groundingChunks groundingMetadata
    groundingSupports headers id image imageConfig imageSearch imageSearchQueries imageSize imageUri
    includeServerSideToolInvocations includeThoughts index inlineData inputTokenLimit items jsonPath labels language
    languageCode latLng latitude level license logProbability logProbabilitySum logprobs logprobsResult longitude
    manualMode maps maxItems maxLength maxOutputTokens maxProperties maxTemperature maximum mcpServers mediaResolution
    message metadata metadataFilter method mimeType minItems minLength minProperties minimum modality mode model
    modelName modelRoutingPreference modelSelectionConfig modelStage modelStatus modelVersion models
    multiSpeakerVoiceConfig name nextPageToken nullValue nullable numberValue numTokens outcome output
    outputDimensionality outputTokenLimit overwrittenThreshold parameters parametersJsonSchema partIndex partMetadata
    partialArgs parts pattern placeAnswerSources placeId prebuiltVoiceConfig presencePenalty probability
    probabilityScore promptFeedback promptTokenCount promptTokensDetails properties propertyOrdering publicationDate
    ragResources ragRetrievalConfig reason ref renderedContent required requests responseFormat responseId
    responseJsonSchema responseLogprobs responseMimeType responseModalities responseSchema responseTokenCount response
    retirementTime retrieval retrievalConfig retrievalMetadata retrievalQueries retrievedContext retrievedUrl role
    routingConfig safetyRatings safetySettings scheduling schema sdkBlob searchEntryPoint searchTypes seed segment
    serviceTier severity severityScore similarityTopK sourceFlaggingUris speaker speakerVoiceConfigs speechConfig
    sseReadTimeout startIndex startOffset startTime statistics status stopSequences streamFunctionCallArguments
    streamableHttpTransport stringValue supportedActions supportedGenerationMethods systemInstruction taskType
    temperature terminateOnClose text thinking thinkingBudget thinkingConfig thinkingLevel thought thoughtSignature
    thoughtsTokenCount threshold timeRangeFilter timeout title token tokenCount tokenId toolCall toolConfig
    toolResponse toolType toolUsePromptTokenCount toolUsePromptTokensDetails tools topCandidates topK topP
    totalBillableCharacters totalTokenCount totalTokens trafficType truncated type updateTime uri url urlContext
    urlContextMetadata urlMetadata urlRetrievalStatus usageMetadata values version vertexAiSearch vertexRagStore
    videoMetadata voiceConfig voiceName web webSearch webSearchQueries willContinue
    """.split()
)
_CAMEL: Final = {_HUMP.sub(r"_\1", word).lower(): word for word in _WORDS}
VOCABULARY: Final = _WORDS | _CAMEL.keys()

_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def camel(key: str) -> str:
    """Return how the API's own pages spell a key: proto JSON takes camelCase and snake_case alike."""
    return _CAMEL.get(key, key)


def members(value: object, name: str) -> Iterator[Any]:
    """Yield what an object holds under a name, in either spelling: nobody says which of two an upstream reads."""
    if isinstance(value, dict):
        yield from (child for key, child in value.items() if camel(key) == name)


def member(value: object, name: str) -> Any:
    """Return the first of `members`, None where there is none."""
    return next(members(value, name), None)


def error_body(status: int, code: str, message: str, param: str | None = None) -> JsonObject:
    """Return a google.rpc.Status whose details name our own code."""
    return _status(status, code, message, {"code": code} | ({"param": param} if param else {}))


def refusal_body(refusal: Refusal) -> JsonObject:
    """Return the 400 of a block. What it tells grows with `disclose`; what was found is never quoted."""
    verdict, disclose = refusal.verdict, refusal.disclose
    stops, categories, sentence = told_of(refusal)
    facts = {"code": "content_filter", "decision_id": refusal.decision_id}
    if disclose is not Disclose.ID:
        facts |= {"categories": ",".join(categories), **_place(stops)}
    if disclose is Disclose.FULL:
        worst = max((judged.finding.hit.severity for judged in stops), default=None)
        facts |= {"policy": f"{verdict.policy_id}@{verdict.policy_revision}", "docs": DOCS}
        facts |= {"severity": worst.name.lower()} if worst is not None else {}
    return _status(400, "content_filter", sentence, facts)


def param_of(pointer: str) -> str:
    return param(pointer, VOCABULARY)


def usage_of(body: object) -> Usage | None:
    """Return the token counts of an answer or of a stream's event, None where it has none.

    Thoughts are paid like what is said, and what tools brought like the prompt; Gemini counts both apart.
    Source: ai.google.dev/api/generate-content#UsageMetadata.
    """
    usage = member(body, "usageMetadata")
    if not isinstance(usage, dict):
        return None
    return Usage(
        _sum_of(usage, "promptTokenCount", "toolUsePromptTokenCount"),
        _sum_of(usage, "candidatesTokenCount", "thoughtsTokenCount"),
    )


def _sum_of(usage: JsonObject, *names: str) -> int | None:
    counts = [count for name in names if (count := count_of(member(usage, name))) is not None]
    return sum(counts) if counts else None


def _status(status: int, code: str, message: str, facts: dict[str, str]) -> JsonObject:
    fallback = "INVALID_ARGUMENT" if status < 500 else "INTERNAL"
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": code.upper(),
        "domain": "promptshield",
        "metadata": facts,
    }
    # Official SDKs raise for a stream's event only if `error` is its first key.
    return {"error": {"code": status, "message": message, "status": _STATUSES.get(status, fallback), "details": [info]}}


def _place(stops: list[Judged]) -> dict[str, str]:
    # A key's own pointer would repeat the key, which is the client's text and may be what was found.
    found = next((item.finding.segment for item in stops if item.finding.segment.place != "key"), None)
    return {"param": param_of(found.pointer)} if found is not None and found.direction is Direction.REQUEST else {}
