"""What `/openapi.json` says of each address, beside what FastAPI finds out by itself."""

_ERROR = {
    "description": "The request is not answered; the sentence says why.",
    "content": {
        "application/json": {
            "schema": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
        }
    },
}
_REASONS = {
    400: "The request is damaged or empty.",
    401: "The token is missing or wrong.",
    403: "A page elsewhere asked.",
    408: "The request arrived too slowly.",
    413: "More bytes, pixels or faces than allowed.",
    415: "No picture that can be read.",
    421: "The name of the server is not allowed.",
    503: "The server is busy: come back after `Retry-After` seconds.",
}
REFUSALS = {str(status): {**_ERROR, "description": text} for status, text in _REASONS.items()}
_PROBABILITIES = {
    "type": "object",
    "description": "The probability of each class, by name: calibrated, 0 to 1, summing to 1.",
    "additionalProperties": {"type": "number"},
}
_VERSION = {"type": "integer", "description": "Grows when a field changes its meaning."}
_CLASSES = {
    "class_names": {
        "type": "array",
        "items": {"type": "string"},
        "description": "The expressions that it tells apart.",
    },
    "unsure_below": {"type": "number", "description": "An answer whose probability is below is unsure."},
}
_BYTES = {"schema": {"type": "string", "format": "binary"}}


def _form(field):
    files = {"type": "array", "items": {"type": "string", "format": "binary"}}
    return {"schema": {"type": "object", "required": [field], "properties": {field: files}}}


def _answer(description, properties):
    schema = {"type": "object", "required": list(properties), "properties": properties}
    return {"200": {"description": description, "content": {"application/json": {"schema": schema}}}, **REFUSALS}


_EXPRESSION = {
    "expression": {"type": "string", "description": "The class with the highest probability."},
    "probability": {"type": "number", "description": "That probability."},
    "probabilities": _PROBABILITIES,
    "unsure": {"type": "boolean", "description": "Whether that probability is below `unsure_below` of the model."},
}
_FACE = {
    "type": "object",
    "description": "One face, as `fer-ensemble label --json` gives it. The largest comes first.",
    "required": ["file", "face", "box", "landmarks", "detector_score", *_EXPRESSION],
    "properties": {
        "file": {"type": ["string", "null"], "description": "What the sender called the picture."},
        "face": {"type": "integer", "description": "Its number in the picture, from 0."},
        "box": {
            "type": "array",
            "items": {"type": "number"},
            "description": "Left, top, width, height in pixels of the picture held upright.",
        },
        "landmarks": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "number"}},
            "description": "x and y of: eye on the left, eye on the right, tip of the nose, corners of the mouth.",
        },
        "detector_score": {
            "type": "number",
            "description": "How sure the detector is that this is a face, 0 to 1.",
        },
        **_EXPRESSION,
        "crop": {"type": "string", "description": "With `crops=true`: 48 x 48 grey values, base64."},
        "explanation": {
            "type": "string",
            "description": "With `explanations=true`, of a network with class maps: 48 x 48 numbers, "
            "little-endian float32, base64: how much each pixel of the crop spoke for the expression; below 0, "
            "against it.",
        },
    },
}
FACES = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": _BYTES,
            "application/octet-stream": _BYTES,
            "multipart/form-data": _form("picture"),
        },
    },
    "responses": _answer(
        "The faces of the picture, or of the pictures of a form one after the other.",
        {
            "schema_version": _VERSION,
            **_CLASSES,
            "faces": {"type": "array", "items": _FACE},
            "problems": {
                "type": "array",
                "items": {"type": "object"},
                "description": "`file` and `problem` of each picture of a form that could not be read.",
            },
            "left_out": {"type": "integer", "description": "Faces beyond the most that are returned."},
        },
    ),
}
PREDICT = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "2,304 bytes for each face: grey values of 48 rows of 48 pixels.",
                }
            },
            "image/*": _BYTES,
            "multipart/form-data": _form("face"),
        },
    },
    "responses": _answer(
        "What each face shows, in the order in which they were sent.",
        {
            "schema_version": _VERSION,
            "faces": {
                "type": "array",
                "items": {"type": "object", "properties": _EXPRESSION, "description": "One answer for each face."},
            },
        },
    ),
}
MODEL = {
    "responses": _answer(
        "What the model is, and what the server takes.",
        {
            **_CLASSES,
            "about": {"type": "object", "description": "What its file says of itself."},
            "card": {"type": "string", "description": "What people should know of it, in Markdown."},
            "version": {"type": "string", "description": "Of fer-ensemble."},
            "limits": {"type": "object", "description": "Most bytes, pixels and faces of a request."},
        },
    )
}
HEALTH = {
    "responses": _answer(
        "The server answers.",
        {
            "status": {"type": "string", "description": "`ok`."},
            "requests": {"type": "integer", "description": "That are being worked on."},
        },
    )
}
