//! What Vercel answers itself in place of a server.

use crate::probe::{Gate, Gated, Reply};

pub const ALL: &[Gate] = &[protection, error];

fn protection(reply: &Reply) -> Option<Gated> {
    let login = [reply.header("location"), reply.header("set-cookie"), Some(&reply.body)];
    let asks = login.iter().flatten().any(|text| text.contains("_vercel_sso_nonce") || text.contains("vercel.com/sso"));
    (asks && matches!(reply.status, 301..=303 | 307 | 308 | 401 | 403)).then(|| Gated {
        detail: format!("{}: Vercel's Deployment Protection asks for a login", reply.status),
        hint: "use the production domain of the project; or turn it off with `vercel project protection disable --sso`; \
               or send the header `x-vercel-protection-bypass`",
        lasting: true,
    })
}

fn error(reply: &Reply) -> Option<Gated> {
    let code = reply.header("x-vercel-error")?;
    let hint = match code {
        "DEPLOYMENT_NOT_FOUND" => "no deployment has this domain: check the URL, or deploy again",
        "NOT_FOUND" => "the deployment has no such path: check the path of the URL",
        "FUNCTION_INVOCATION_TIMEOUT" => "the function took too long: look at `vercel logs`",
        _ => "the function failed, often at start-up: look at `vercel logs`",
    };
    Some(Gated { detail: format!("{}: Vercel answered `{code}`", reply.status), hint, lasting: false })
}
