# Refuses a Triton older than the floor: a digest, unlike a tag, does not tell the release at install time.
if ! printf '%s\n' "$TIDEGATE_TRITON_FLOOR" "${NVIDIA_TRITON_SERVER_VERSION:-0}" | sort -V -C; then
  echo "This image holds Triton ${NVIDIA_TRITON_SERVER_VERSION:-of an unknown release}, which is older than" \
    "$TIDEGATE_TRITON_FLOOR and has known holes. Set triton.image to a newer release." >&2
  exit 64
fi
exec tritonserver "$@"
