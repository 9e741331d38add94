#!/bin/sh
# Fills the port into the templates of the configuration.
set -e
for template in /etc/nginx/templates/*.template; do
    name=$(basename "$template" .template)
    sed "s/@PORT@/$NGINX_PORT/" "$template" >"/etc/nginx/conf.d/$name"
done
