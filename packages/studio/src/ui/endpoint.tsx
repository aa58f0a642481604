/** Whom the page asks, where it has no server: entered by a person, known until the page is closed. */

import { useState } from "preact/hooks"
import type { EndpointHome } from "../home.ts"
import { text } from "../strings.ts"

export function EndpointForm({ home, changed }: { home: EndpointHome; changed(): void }) {
  const known = home.get()
  const [url, setUrl] = useState(known?.url ?? "http://localhost:11434/v1")
  const [model, setModel] = useState(known?.model ?? "")
  const [key, setKey] = useState(known?.key ?? "")
  const usable = /^https?:\/\/./.test(url.trim()) && URL.canParse(url.trim()) && model.trim() !== ""
  const use = (event: Event) => {
    event.preventDefault()
    home.set({ url: url.trim(), model: model.trim(), key: key.trim() })
    changed()
  }
  return (
    <details class="endpoint" open={known === null}>
      <summary>{known ? text.endpointOf(known.model, new URL(known.url).host) : text.endpoint}</summary>
      <form onSubmit={use}>
        <label>
          <span>{text.endpointUrl}</span>
          <input type="url" value={url} onInput={(event) => setUrl(event.currentTarget.value)} />
        </label>
        <label>
          <span>{text.endpointModel}</span>
          <input value={model} autocomplete="off" onInput={(event) => setModel(event.currentTarget.value)} />
        </label>
        <label>
          <span>{text.endpointKey}</span>
          <input
            type="password"
            value={key}
            autocomplete="off"
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary" disabled={!usable}>
          {text.endpointUse}
        </button>
      </form>
      <p class="hint">{text.endpointHint}</p>
    </details>
  )
}
