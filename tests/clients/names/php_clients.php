<?php
// Sends files by one of PHP's HTTP clients: CLIENT URL FOLDER NAME...
[, $client, $url, $folder] = $argv;
foreach (array_slice($argv, 4) as $name) {
    $path = "$folder/$name";
    if ($client === 'curl') {
        $curl = curl_init($url);
        curl_setopt_array($curl, [
            CURLOPT_HTTPHEADER => ['Authorization: Bearer TOKEN'],
            CURLOPT_POSTFIELDS => ['file' => new CURLFile($path, 'image/png', $name)],
            CURLOPT_RETURNTRANSFER => true,
        ]);
        curl_exec($curl);
    } else {
        require_once '/usr/share/php/GuzzleHttp/autoload.php';
        (new GuzzleHttp\Client())->post($url, [
            'headers' => ['Authorization' => 'Bearer TOKEN'],
            'multipart' => [['name' => 'file', 'contents' => fopen($path, 'rb'), 'filename' => $name]],
        ]);
    }
}
