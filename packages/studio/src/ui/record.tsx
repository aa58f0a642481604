/** Records clips from the camera: a countdown, then several in a row. */

import { useEffect, useRef, useState } from "preact/hooks"
import { text } from "../strings.ts"
import { openCamera } from "./camera.ts"
import { Dialog } from "./dialog.tsx"
import { colourOf, type Model } from "./model.ts"

type Stage =
  | { kind: "idle" }
  | { kind: "soon"; left: number }
  | { kind: "now"; take: number }
  | { kind: "done"; takes: number }

/** Milliseconds between what a recording has written: so much is lost at most. */
const CHUNK = 500

export function Recorder({ model, start, close }: { model: Model; start: string | null; close(): void }) {
  const [label, setLabel] = useState(start ?? model.classes[0] ?? "")
  const [seconds, setSeconds] = useState(2)
  const [takes, setTakes] = useState(10)
  const [countdown, setCountdown] = useState(3)
  const [stage, setStage] = useState<Stage>({ kind: "idle" })
  const [ready, setReady] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const video = useRef<HTMLVideoElement>(null)
  const stream = useRef<MediaStream | null>(null)
  const stopped = useRef(false)

  useEffect(() => {
    let gone = false
    openCamera().then(
      (own) => {
        if (gone) return stopTracks(own)
        stream.current = own
        if (video.current) video.current.srcObject = own
        setReady(true)
      },
      (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
    )
    return () => {
      gone = true
      stopped.current = true
      if (stream.current) stopTracks(stream.current)
    }
  }, [])

  async function run(): Promise<void> {
    if (!stream.current) return
    stopped.current = false
    for (let left = countdown; left > 0 && !stopped.current; left--) {
      setStage({ kind: "soon", left })
      await wait(1000)
    }
    let done = 0
    for (let take = 1; take <= takes && !stopped.current; take++) {
      setStage({ kind: "now", take })
      await recordOne(model, stream.current, label, seconds, stopped)
      done = take
    }
    setStage({ kind: "done", takes: done })
  }

  const busy = stage.kind === "soon" || stage.kind === "now"
  const begin = () =>
    void model.attempt(run).then(() => setStage((now) => (now.kind === "done" ? now : { kind: "idle" })))
  return (
    <Dialog title={text.recordTitle} close={close}>
      <div class="record">
        <div class={stage.kind === "now" ? "viewfinder recording" : "viewfinder"}>
          <video ref={video} autoPlay muted playsInline class="mirrored" />
          {problem && (
            <p class="no-camera" role="alert">
              <strong>{text.noCamera}</strong>
              <span>{problem}</span>
              <span>{text.noCameraFix}</span>
            </p>
          )}
          {stage.kind === "soon" && (
            <p class="count" aria-hidden="true">
              {stage.left}
            </p>
          )}
          {stage.kind === "now" && (
            <progress class="takes" value={stage.take} max={takes} aria-label={text.recordNow(stage.take, takes)} />
          )}
        </div>
        <form
          onSubmit={(event) => {
            event.preventDefault()
            if (busy) stopped.current = true
            else begin()
          }}
        >
          <fieldset disabled={busy}>
            <legend class="unseen">{text.recordClass}</legend>
            <div class="choices" role="radiogroup" aria-label={text.recordClass}>
              {model.classes.map((name, place) => (
                <label key={name} class="choice" style={{ "--own": colourOf(place) }}>
                  <input
                    type="radio"
                    name="class"
                    value={name}
                    checked={name === label}
                    onChange={() => setLabel(name)}
                  />
                  {name}
                </label>
              ))}
            </div>
            <div class="numbers">
              <NumberField title={text.recordLength} value={seconds} min={0.5} max={20} step={0.1} set={setSeconds} />
              <NumberField title={text.recordTakes} value={takes} min={1} max={50} step={1} set={setTakes} />
              <NumberField
                title={text.recordCountdown}
                value={countdown}
                min={0}
                max={10}
                step={1}
                set={setCountdown}
              />
            </div>
          </fieldset>
          <button type="submit" class={busy ? "danger big" : "primary big"} disabled={!ready || label === ""}>
            {busy ? text.recordStop : text.recordStart}
          </button>
          <p role="status" class="stage">
            {stage.kind === "idle" && text.recordReady(takes, seconds)}
            {stage.kind === "soon" && text.recordSoon}
            {stage.kind === "now" && text.recordNow(stage.take, takes)}
            {stage.kind === "done" && text.recordDone(stage.takes)}
          </p>
          <p class="hint">{text.recordAdvice}</p>
        </form>
      </div>
    </Dialog>
  )
}

interface NumberProps {
  title: string
  value: number
  min: number
  max: number
  step: number
  set(value: number): void
}

function NumberField({ title, value, min, max, step, set }: NumberProps) {
  return (
    <label>
      <span>{title}</span>
      <input
        type="number"
        value={value}
        min={min}
        max={max}
        step={step}
        onInput={(event) => {
          const next = event.currentTarget.valueAsNumber
          if (Number.isFinite(next)) set(Math.min(max, Math.max(min, next)))
        }}
      />
    </label>
  )
}

async function recordOne(
  model: Model,
  stream: MediaStream,
  label: string,
  seconds: number,
  stopped: { current: boolean },
) {
  const type =
    ["video/webm;codecs=vp8", "video/webm", "video/mp4"].find((one) => MediaRecorder.isTypeSupported(one)) ?? ""
  const name = `${label} ${new Date().toISOString().slice(0, 23).replaceAll(":", ".")}.${type.includes("mp4") ? "mp4" : "webm"}`
  const recording = await model.home.record(name, label, type.split(";")[0])
  const recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 4_000_000 })
  const written: Promise<void>[] = []
  recorder.ondataavailable = ({ data }) => {
    if (data.size > 0) written.push(recording.write(data))
  }
  const ended = new Promise<void>((resolve, reject) => {
    recorder.onstop = () => resolve()
    recorder.onerror = () => reject(new Error(text.nothingRecorded))
  })
  const started = new Promise<void>((resolve) => {
    recorder.onstart = () => resolve()
  })
  recorder.start(CHUNK)
  await Promise.race([started, wait(1000)])
  const begun = performance.now()
  while (performance.now() - begun < seconds * 1000 && !stopped.current) {
    await wait(Math.max(1, Math.min(100, seconds * 1000 - (performance.now() - begun))))
  }
  recorder.stop()
  await ended
  await Promise.all(written)
  // half a clip teaches little
  if (performance.now() - begun < 500 * seconds) await recording.abort()
  else await recording.finish()
}

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop()
}
