#!/bin/sh
# certbot for one site: a certificate when there is none, and a look every twelve hours whether it is to be renewed.
set -eu
trap exit TERM
while :; do
    certbot certonly --non-interactive --keep-until-expiring --webroot --webroot-path /var/www/challenges --server "$ACME_DIRECTORY" \
        --agree-tos --email "ops@${SITE#*.}" --no-eff-email --domain "$SITE" || { sleep 30 & wait $!; continue; }
    sleep 43200 & wait $!
done
