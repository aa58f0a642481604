"""PyAV's side of bench/decode.ts. Reads one JSON job a line, {"files": [[path, frame count], ...], "frames": T, "processes": n,
"codec_threads": c}, decodes T frames (centres of equal segments) of every file to RGB arrays, answers {"seconds": s, "checksum": c}
a line. More than one codec thread is FFmpeg's choice of frame or slice threads."""

import json
import multiprocessing
import sys
import time

import av
import numpy as np


def load(job):
    path, count, wanted_frames, codec_threads = job
    wanted = [int((k + 0.5) * count / wanted_frames + 1e-9) for k in range(wanted_frames)]
    container = av.open(path)
    stream = container.streams.video[0]
    stream.thread_type = "NONE" if codec_threads == 1 else "AUTO"
    stream.codec_context.thread_count = codec_threads
    out = []
    for number, frame in enumerate(container.decode(stream)):
        while len(out) < wanted_frames and wanted[len(out)] == number:
            out.append(frame.to_ndarray(format="rgb24"))
        if len(out) == wanted_frames:
            break
    container.close()
    frames = np.stack(out)
    return int(frames[:, ::16, ::16].astype(np.int64).sum())


def main():
    pools = {}
    for line in sys.stdin:
        job = json.loads(line)
        jobs = [(path, count, job["frames"], job["codec_threads"]) for path, count in job["files"]]
        processes = job["processes"]
        if processes > 1 and processes not in pools:
            pools[processes] = multiprocessing.Pool(processes)
            pools[processes].map(load, jobs[:processes], chunksize=1)
        start = time.perf_counter()
        if processes == 1:
            sums = [load(one) for one in jobs]
        else:
            sums = pools[processes].map(load, jobs, chunksize=1)
        print(json.dumps({"seconds": time.perf_counter() - start, "checksum": sum(sums)}), flush=True)


if __name__ == "__main__":
    main()
