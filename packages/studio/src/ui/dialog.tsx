/** A window over the page: closed by its button and by Escape, and it keeps the focus. */

import type { ComponentChildren } from "preact"
import { useEffect, useRef } from "preact/hooks"
import { text } from "../strings.ts"

export function Dialog({ title, close, children }: { title: string; close(): void; children: ComponentChildren }) {
  const own = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    own.current?.showModal()
  }, [])
  return (
    <dialog ref={own} aria-label={title} onClose={close}>
      <header>
        <h2>{title}</h2>
        <button type="button" class="close" aria-label={text.close} onClick={() => own.current?.close()}>
          ×
        </button>
      </header>
      {children}
    </dialog>
  )
}
