/** The recogniser as files, and how to run them elsewhere. */

import { useRef, useState } from "preact/hooks"
import { text } from "../strings.ts"
import { offer, saveFolder, zipped } from "./export.ts"
import type { Model } from "./model.ts"

const PAGE = `import { FrameRecognizer, parseBundle } from "@fourtier/core/bundle"

const file = async (name) => new Uint8Array(await (await fetch("bundle/" + name)).arrayBuffer())
const bundle = parseBundle(await (await fetch("bundle/bundle.json")).json(), "bundle.json")
const externalData = [{ path: "model.onnx", data: await file("model.onnx") }]
const recognizer = await FrameRecognizer.loadParts(await file("frame.onnx"), await file("head.onnx"), bundle, { externalData })

// frames: an async iterable of { time, picture: { data: RGB, count: 1, height, width } }
for await (const { top, unknown } of recognizer.stream(frames, { live: true })) {
  console.log(unknown ? "–" : top[0].label, top[0].probability)
}`

const NODE = `import { Recognizer } from "fourtier/deploy"

const recognizer = await Recognizer.load("bundle")
const { top } = await recognizer.predict("clip.mp4")
console.log(top[0].label, top[0].probability)

// or, from the command line: npx fourtier predict bundle clip.mp4`

export function Take({ model }: { model: Model }) {
  const files = async function* () {
    for (const name of await model.home.bundleFiles()) {
      yield { name: `bundle/${name}`, blob: await model.home.bundleFile(name) }
    }
  }
  const download = async () => offer(await zipped(files()), "bundle.zip")
  const save = async () => {
    if (await saveFolder?.(files())) model.say(text.saved)
  }
  return (
    <div class="take">
      <h2>{text.take}</h2>
      <p class="hint">{text.takeBody}</p>
      <div class="actions">
        <button type="button" class="primary" onClick={() => void model.attempt(download)}>
          {text.download}
        </button>
        {saveFolder && (
          <button type="button" onClick={() => void model.attempt(save)}>
            {text.saveFolder}
          </button>
        )}
      </div>
      <div class="columns">
        <Snippet title={text.inPage} code={PAGE} />
        <Snippet title={text.inNode} code={NODE} />
      </div>
    </div>
  )
}

function Snippet({ title, code }: { title: string; code: string }) {
  const [note, setNote] = useState("")
  const own = useRef<HTMLElement>(null)
  // over plain http there is no clipboard: then the text is marked, and a key copies it
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code)
      setNote(text.copied)
    } catch {
      if (own.current) getSelection()?.selectAllChildren(own.current)
      setNote(text.copyByKey)
    }
  }
  return (
    <figure class="snippet">
      <figcaption>
        {title}
        <span role="status">{note}</span>
        <button type="button" onClick={() => void copy()}>
          {text.copy}
        </button>
      </figcaption>
      <pre>
        <code ref={own}>{code}</code>
      </pre>
    </figure>
  )
}
