"""The HTTP interface: what each address does."""

import asyncio
import contextlib
import typing
from collections.abc import Callable

import numpy as np
import pydantic
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import Field
from starlette.exceptions import HTTPException

from fer_ensemble import __version__
from fer_ensemble.classifier.classifier import Classifier
from fer_ensemble.classifier.face import SCHEMA_VERSION
from fer_ensemble.data.dataset import IMAGE_SIZE
from fer_ensemble.faces.detector import DetectorSettings
from fer_ensemble.serve import interface, work
from fer_ensemble.serve.admission import Admission
from fer_ensemble.serve.batching_network import BatchingNetwork
from fer_ensemble.serve.desk import Desk
from fer_ensemble.serve.guard import Guard
from fer_ensemble.serve.refusals import Refused, busy
from fer_ensemble.serve.serve_settings import ServeSettings
from fer_ensemble.serve.static_files import read_page
from fer_ensemble.serve.uploads import BodyReader, parse_uploads

_DESCRIPTION = "Finds faces in pictures and says which expression they show. Nothing that is sent here is kept."
# FastAPI's own measuring of requests stays off, whatever the environment says.
_NO_TELEMETRY = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
PICTURE_SIZE, LEAST_SIZE, MOST_SIZE = 640, 128, 1920  # pixels of the longest side while it is searched


class _Wanted(pydantic.BaseModel, extra="forbid"):
    """The parameters of `/api/faces`; another one is an error."""

    crops: bool = Field(False, description="true: with each face, the pixels that the network saw.")
    explanations: bool = Field(False, description="true: with each face, which pixels spoke for the answer.")
    detection_size: int = Field(
        PICTURE_SIZE,
        ge=LEAST_SIZE,
        le=MOST_SIZE,
        description="Pixels of the longest side while the picture is searched: more finds smaller faces.",
    )


def build_application(
    classifier: Classifier, settings: ServeSettings, card: str = ""
) -> tuple[Guard, Callable[[], None]]:
    """Makes the ASGI application.

    Args:
        classifier: A `Classifier`. Its network is asked in batches.
        settings: `ServeSettings`.
        card: What `/api/model` says of the model beside `about`, in Markdown.

    Returns:
        `(application, stop_reading)`: the second is called when the server is to end, and gives up on requests
        that still arrive.
    """
    office = _Office(classifier, settings, card)

    @contextlib.asynccontextmanager
    async def lifespan(_):
        yield
        office.close()

    app = FastAPI(
        title="fer-ensemble",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # these two pages load scripts from elsewhere; ours is /#interface
        redoc_url=None,
        lifespan=lifespan,
        telemetry=_NO_TELEMETRY,
    )
    app.add_exception_handler(Refused, _answer_refusal)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_bad_query)
    app.add_exception_handler(Exception, _answer_fault)

    @app.post("/api/faces", summary="Find the faces in a picture", openapi_extra=interface.FACES)
    async def faces(request: Request, wanted: typing.Annotated[_Wanted, Query()]):
        return JSONResponse(await office.find_faces(request, wanted))

    @app.post("/api/predict", summary="Read faces that were cropped before", openapi_extra=interface.PREDICT)
    async def predict(request: Request):
        return JSONResponse(await office.predict(request))

    @app.get("/api/model", summary="What the model is", openapi_extra=interface.MODEL)
    async def model():
        return JSONResponse(office.describe())

    @app.get("/health", summary="Whether the server answers", openapi_extra=interface.HEALTH)
    async def health():
        return JSONResponse({"status": "ok", "requests": office.admission.requests})

    for path, file in read_page().items():
        _add_file(app, path, *file)
    return Guard(app, settings), office.bodies.stopping.set


class _Office:
    """What all requests share: the network, the threads, and how much they take on."""

    def __init__(self, classifier, settings, card):
        self.settings, self.card = settings, card
        self.admission = Admission(settings.waiting, int(settings.waiting_megabytes * 1e6))
        self.bodies = BodyReader(settings.most_bytes, settings.body_seconds)
        self.desk = Desk(settings.threads)
        self.classifier = classifier
        self.asking = 0  # requests that wait for the network, in no thread
        self.network = BatchingNetwork(
            classifier.network, settings.batch_milliseconds, lambda: self.desk.working() + self.asking
        )
        self.finders = {}  # by detection size

    async def find_faces(self, request, wanted):
        """Answers `/api/faces`."""
        with self.admission.enter() as ticket:
            uploads = await self._receive(request, ticket)
            return await self._in_time(self._find_in(uploads, ticket, wanted))

    async def predict(self, request):
        """Answers `/api/predict`."""
        with self.admission.enter() as ticket:
            uploads = await self._receive(request, ticket)
            return await self._in_time(self._predict(uploads, ticket))

    async def _find_in(self, uploads, ticket, wanted):
        finder = self._finder(wanted.detection_size)
        records, problems, left_out = [], [], 0
        for upload in uploads:
            limits = self.settings.faces - len(records), self.settings.most_pixels
            try:
                found, more = await self.desk.run(ticket, work.find_faces, finder, upload, *limits)
            except Refused as refusal:
                if len(uploads) == 1:
                    raise
                problems.append({"file": upload.name or None, "problem": refusal.message})
                continue
            probabilities = await self._ask(np.stack([one.crop for one in found])) if found else ()
            faces = work.make_faces(found, probabilities, finder)
            if wanted.explanations:
                faces = await self.desk.run(ticket, work.explain_faces, finder, faces)
            records += work.describe_found(faces, upload.name or None, wanted.crops)
            left_out += more
        return {
            "schema_version": SCHEMA_VERSION,
            "class_names": list(finder.class_names),
            "unsure_below": finder.unsure_below,
            "faces": records,
            "problems": problems,
            "left_out": left_out,
        }

    async def _predict(self, uploads, ticket):
        limits = self.settings.faces, self.settings.most_pixels
        if work.is_raw(uploads):
            faces = work.read_raw_faces(uploads[0], limits[0])
        else:
            faces = await self.desk.run(ticket, work.read_faces, uploads, *limits)
        probabilities = await self._ask(faces)
        return {"schema_version": SCHEMA_VERSION, "faces": work.describe_faces(probabilities, self.classifier)}

    def describe(self):
        """Answers `/api/model`."""
        return {
            "class_names": list(self.classifier.class_names),
            "unsure_below": self.classifier.unsure_below,
            "about": {name: value for name, value in self.classifier.about.items() if name != "folder"},
            "card": self.card,
            "version": __version__,
            "limits": {
                "bytes": self.settings.most_bytes,
                "pixels": self.settings.most_pixels,
                "faces": self.settings.faces,
            },
        }

    def close(self):
        """Ends the threads."""
        self.desk.close()
        self.network.close()

    async def _receive(self, request, ticket):
        body = await self.bodies.read(request, ticket)
        return parse_uploads(body, request.headers.get("content-type", ""))

    async def _ask(self, faces):
        assert faces.shape[1:] == (IMAGE_SIZE, IMAGE_SIZE)
        self.asking += 1
        try:
            return await asyncio.wrap_future(self.network.submit(faces))
        finally:
            self.asking -= 1

    async def _in_time(self, answering):
        try:
            return await asyncio.wait_for(answering, self.settings.answer_seconds)
        except (TimeoutError, asyncio.TimeoutError):  # two classes before Python 3.11
            raise busy() from None

    def _finder(self, size):
        size = -(-size // 64) * 64  # so that nobody makes us keep a detector for every number there is
        if size not in self.finders:
            self.finders[size] = Classifier(
                self.classifier.network, self.classifier.unsure_below, DetectorSettings(size=size)
            )
        return self.finders[size]


def _add_file(app, path, content, content_type, etag):
    headers = {"Cache-Control": "no-cache", "ETag": etag}

    async def file(request: Request):
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=content_type, headers=headers)

    app.add_api_route(path, file, methods=["GET", "HEAD"], include_in_schema=False)


async def _answer_refusal(_, refusal):
    return JSONResponse({"error": refusal.message}, refusal.status, refusal.headers)


async def _answer_http_error(_, error):
    return JSONResponse({"error": f"{error.detail}."}, error.status_code, error.headers)


async def _answer_bad_query(_, error):
    told = "; ".join(f"`{one['loc'][-1]}`: {one['msg']}" for one in error.errors())
    return JSONResponse({"error": f"Expected other parameters. {told}."}, 422)


async def _answer_fault(_, error):
    return JSONResponse({"error": "A fault of this server. Its terminal says more."}, 500)
