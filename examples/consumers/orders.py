#!/usr/bin/env python3
"""A consumer in a few lines: it answers every key with one number, however often it is asked."""
import http.server
import json
import threading

numbers = {}  # a real one keeps them in its database, in the same commit as the order
lock = threading.Lock()


class Orders(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            number = numbers.setdefault(self.headers["Idempotency-Key"], f"ORD-{len(numbers) + 1:04}")
            print(number, body["type"], json.dumps(body["payload"]), flush=True)
        answer = json.dumps({"referenceNumber": number}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Orders).serve_forever()
