/** GET of the HTTP API: same origin, JSON or Arrow, problems as one error class. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  constructor(
    readonly status: number,
    readonly code: string,
    path: string,
    /** Seconds after which a busy server wants to be asked again; null where it names none. */
    readonly retryAfter: number | null = null,
  ) {
    super(`${path}: ${status} ${code}`);
  }
}

export type Query = Record<string, string | number | boolean | undefined>;

export function address(base: string, path: string, query: Query = {}): string {
  const fields = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = fields.map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`).join('&');
  return `${base}${path}${text ? `?${text}` : ''}`;
}

async function answer(url: string, signal?: AbortSignal): Promise<Response> {
  const response = await fetch(url, { credentials: 'same-origin', ...(signal ? { signal } : {}) });
  if (response.ok) return response;
  let code = '';
  try {
    code = ((await response.json()) as { code?: string }).code ?? '';
  } catch {
    // A proxy may answer without a problem document; the status says enough.
  }
  const after = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  const { pathname } = new URL(url, 'http://localhost');
  throw new HttpError(response.status, code, pathname, Number.isNaN(after) ? null : after);
}

export const getJson = async (url: string, signal?: AbortSignal): Promise<unknown> =>
  (await answer(url, signal)).json();
export const getBytes = async (url: string, signal?: AbortSignal): Promise<Uint8Array> =>
  new Uint8Array(await (await answer(url, signal)).arrayBuffer());
