#!/usr/bin/env python3
"""A vision-language model behind HTTP, for `fourtier describe`. Needs only the standard library.

    python3 server.py [port]
    fourtier describe DATA --provider http --url http://127.0.0.1:8008/describe --model my-model

Put your model into `load` and `answer`; README.md has recipes for six models. The server also answers
/v1/chat/completions, so that OpenAI clients (and `--provider openai`) can talk to the same model.
"""
import base64
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock


def load():
    """Called once, at the start. Returns whatever `answer` needs."""
    return None


def answer(model, jpeg, prompt, system, max_tokens, temperature):
    """Answers a question about a strip. This placeholder only reports the size of the image."""
    width, height = jpeg_size(jpeg)
    return f"A strip of {width} by {height} pixels, asked: {prompt}"


def jpeg_size(data):
    """Width and height in pixels, from the frame header."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise ValueError("not a JPEG image")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        try:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            chat = self.path.endswith("/chat/completions")
            image, prompt, system = from_chat(body["messages"]) if chat else from_describe(body)
            limit = body.get("max_tokens") or 300
            with LOCK:  # one question at a time: most models cannot answer several at once
                text = answer(MODEL, base64.b64decode(image), prompt, system, limit, body.get("temperature") or 0)
            self.reply(200, to_chat(text, body.get("model")) if chat else {"text": text})
        except (KeyError, ValueError, TypeError) as error:
            self.reply(400, {"error": str(error)})
        except ConnectionError:  # the client has gone
            self.close_connection = True
        except Exception as error:  # the model has failed; the client tries again
            self.reply(500, {"error": str(error)})

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def from_chat(messages):
    """Image (base64), question and system text of a chat completion request."""
    system = next((m["content"] for m in messages if m["role"] == "system"), None)
    parts = messages[-1]["content"]
    image = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
    prompt = "\n".join(part["text"] for part in parts if part["type"] == "text")
    return image.split(",", 1)[1], prompt, system


def from_describe(body):
    """Image (base64), question and system text of a request from `fourtier describe --provider http`."""
    return body["image"], body["prompt"], body.get("system")


def to_chat(text, model):
    """A chat completion."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return {"id": "chat-1", "object": "chat.completion", "created": 0, "model": model, "choices": [choice]}


if __name__ == "__main__":
    MODEL, LOCK = load(), Lock()
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8008), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}/describe", flush=True)
    server.serve_forever()
