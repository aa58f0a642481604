/** The recogniser's worker, and frames that go to it. */

import type { LiveAnswer, LiveEvent, LiveFunctions } from "../engine/live.ts"
import { planesOf } from "../engine/yuv.ts"
import type { Home } from "../home.ts"
import { connect, type Remote } from "../workers/rpc.ts"
import { openCamera } from "./camera.ts"

export class LiveEngine {
  readonly #home: Home
  readonly #worker = new Worker(new URL("../workers/engine.worker.ts", import.meta.url), { type: "module" })
  readonly #remote: Remote<LiveFunctions>
  #loaded: { id: string; labels: string[] } | null = null
  /** On what the recogniser runs; null before it is loaded. */
  device: string | null = null
  #onAnswer: (answer: LiveAnswer) => void = () => {}
  #stream: MediaStream | null = null
  /** Counts up with every start and stop: what belongs to an older one is dropped. */
  #turn = 0

  constructor(home: Home) {
    this.#home = home
    this.#remote = connect<LiveFunctions, LiveEvent>(this.#worker, (event) => {
      if (event.kind === "answer") this.#onAnswer(event.answer)
    })
  }

  /** Loads the bundle that holds, if it is not loaded yet. @returns its labels */
  async load(): Promise<string[]> {
    const bundle = await (await this.#home.bundleFile("bundle.json")).text()
    if (this.#loaded?.id === bundle) return this.#loaded.labels
    const names = await this.#home.bundleFiles()
    const bytes = async (name: string) => new Uint8Array(await (await this.#home.bundleFile(name)).arrayBuffer())
    const part = (name: string) => (names.includes(name) ? bytes(name) : Promise.resolve(null))
    const [model, frame, head] = await Promise.all([bytes("model.onnx"), part("frame.onnx"), part("head.onnx")])
    const { labels, device } = await this.#remote.load({ bundle, model, frame, head })
    this.device = device
    this.#loaded = { id: bundle, labels }
    return labels
  }

  /** Shows the camera in the element and answers until `stop`. */
  async start(video: HTMLVideoElement, smoothing: number, onAnswer: (answer: LiveAnswer) => void): Promise<string[]> {
    const turn = ++this.#turn
    const [labels, stream] = await Promise.all([this.load(), openCamera()])
    if (turn !== this.#turn) {
      stopTracks(stream)
      return labels
    }
    this.#stream = stream
    this.#onAnswer = onAnswer
    video.srcObject = stream
    await video.play()
    await this.#remote.begin({ smoothing })
    this.#pump(video, turn)
    return labels
  }

  stop(): void {
    this.#turn++
    this.#onAnswer = () => {}
    if (this.#stream) stopTracks(this.#stream)
    this.#stream = null
    void this.#remote.end()
  }

  async timeline(file: Blob): Promise<{ duration: number; answers: LiveAnswer[]; labels: string[] }> {
    const labels = await this.load()
    return { ...(await this.#remote.timeline(file)), labels }
  }

  close(): void {
    this.stop()
    this.#worker.terminate()
  }

  /** One frame is on its way at a time: a slow machine sees fewer, none waits. */
  #pump(video: HTMLVideoElement, turn: number): void {
    let busy = false
    const send = async (mediaTime: number) => {
      const frame = new VideoFrame(video)
      try {
        // what the camera's recordings say as well: see `yuv.ts`
        await this.#remote.frame(mediaTime, await planesOf(frame, "bt601", "centre"))
      } finally {
        frame.close()
        busy = false
      }
    }
    const onFrame = (_: number, { mediaTime }: { mediaTime: number }) => {
      if (turn !== this.#turn) return
      video.requestVideoFrameCallback(onFrame)
      if (busy || video.videoWidth === 0) return
      busy = true
      send(mediaTime).catch(() => {})
    }
    video.requestVideoFrameCallback(onFrame)
  }
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop()
}
