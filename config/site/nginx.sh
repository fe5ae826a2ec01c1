#!/bin/sh
# nginx for one site: challenges on port 80; TLS as soon as there is a certificate, taken anew every six hours.
set -eu
live=/etc/letsencrypt/live/$SITE

site() {
    printf 'server { listen 80; server_name %s; location /.well-known/acme-challenge/ { root /var/www/challenges; } ' "$SITE"
    printf 'location / { return 301 https://$host$request_uri; } }\n'
    [ -s "$live/fullchain.pem" ] || return 0
    printf 'server { listen 443 ssl; server_name %s; ssl_certificate %s/fullchain.pem; ' "$SITE" "$live"
    printf 'ssl_certificate_key %s/privkey.pem; ssl_protocols TLSv1.2 TLSv1.3; location / { root /usr/share/nginx/html; } }\n' "$live"
}

watch() {
    until [ -s "$live/fullchain.pem" ]; do sleep 2; done
    while :; do
        site > /etc/nginx/conf.d/default.conf && nginx -t -q && nginx -s reload
        sleep 21600
    done
}

site > /etc/nginx/conf.d/default.conf
watch &
exec nginx -g 'daemon off;'
