// The token that the server asks for. In the memory of this tab, and where it is asked to be remembered in that of the
// browser; never in an address, which histories, logs and links would hold.

const KEY = "token";

let token = read(sessionStorageOrNull()) ?? read(localStorageOrNull());

/** The header that carries it, or nothing. */
export function authorization() {
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

/** Whether there is one. */
export function hasToken() {
  return token !== null;
}

/** Takes a token; `remember`: for the next time that this browser is opened too. False: no header could carry it. */
export function takeToken(text, remember) {
  if (!/^[\x21-\x7e]{1,1000}$/.test(text)) return false;
  forgetToken();
  token = text;
  try {
    (remember ? localStorageOrNull() : sessionStorageOrNull())?.setItem(KEY, text);
  } catch {
    // A browser that keeps nothing asks again after the next load.
  }
  return true;
}

/** Forgets it, everywhere. */
export function forgetToken() {
  token = null;
  for (const storage of [sessionStorageOrNull(), localStorageOrNull()]) storage?.removeItem(KEY);
}

function read(storage) {
  return storage?.getItem(KEY) ?? null;
}

function sessionStorageOrNull() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}

function localStorageOrNull() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}
