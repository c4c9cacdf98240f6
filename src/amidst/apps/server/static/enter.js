// The way in: an invitation link (its token stands behind "#", so no log ever sees it) or a password.

const element = (id) => document.getElementById(id);

async function ask(method, path, body, csrf) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (csrf) headers["X-CSRF-Token"] = csrf;
  const response = await fetch(path, { method, headers, body: body ? JSON.stringify(body) : undefined });
  const reply = await response.json();
  if (!response.ok) throw new Error(reply.error.message);
  return reply;
}

function show(me) {
  for (const id of ["enter", "login", "inside"]) element(id).hidden = true;
  element("problem").textContent = "";
  if (me) {
    element("who").textContent = `${me.display}, ${me.role}`;
    element("logout").onclick = async () => {
      await ask("POST", "/api/auth/logout", null, me.csrf);
      show(null);
    };
    element("inside").hidden = false;
  } else {
    element(location.hash.length > 1 ? "enter" : "login").hidden = false;
  }
}

function handle(id, path, more) {
  element(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(event.target));
    try {
      const me = await ask("POST", path, { ...fields, ...more() });
      history.replaceState(null, "", location.pathname);
      show(me);
    } catch (error) {
      element("problem").textContent = error.message;
    }
  });
}

handle("enter", "/api/auth/enter", () => ({ token: decodeURIComponent(location.hash.slice(1)) }));
handle("login", "/api/auth/login", () => ({}));
show(location.hash.length > 1 ? null : await ask("GET", "/api/auth/me").catch(() => null));
