// Servers that people have in front of picam, with the lines that picamctl(8) shows for them: they have the certificate, and
// strip a path.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { top } from './harness.mjs';

const [, kNginxLines, kCaddyLines] = readFileSync(path.join(top, 'deploy/man/picamctl.8'), 'utf8').split('BEHIND A PROXY')[1].split('.nf\n.RS\n').slice(1)
  .map((text) => text.split('.RE')[0].replaceAll('\\-', '-'));

// Each writes its configuration into `folder`, where certificate.pem and key.pem are, and returns the command: HTTPS at `port`,
// and /webcam/ is the root of the site's plain HTTP.
export const kProxies = {
  nginx: (site, port, folder) => {
    writeFileSync(path.join(folder, 'nginx.conf'), `daemon off; pid nginx.pid; error_log stderr warn;
${process.getuid() === 0 ? 'user root;' : ''}
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${folder}/certificate.pem;
        ssl_certificate_key ${folder}/key.pem;
        ${kNginxLines.replace('192.0.2.2', `127.0.0.1:${site.httpPort}`)}
    }
}`);
    return ['nginx', ['-p', folder, '-c', path.join(folder, 'nginx.conf'), '-e', 'stderr']];
  },
  caddy: (site, port, folder) => {
    writeFileSync(path.join(folder, 'Caddyfile'), `{
    admin off
    auto_https off
}
${kCaddyLines.replace('cam.example.org {', `https://127.0.0.1:${port} {\n    tls ${folder}/certificate.pem ${folder}/key.pem`)
    .replace('192.0.2.2', `127.0.0.1:${site.httpPort}`)}`);
    return ['caddy', ['run', '--config', path.join(folder, 'Caddyfile')]];
  },
};
