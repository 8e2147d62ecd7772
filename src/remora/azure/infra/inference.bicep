metadata description = 'Remora: a base model and its LoRA adapters behind one endpoint, on Azure Container Apps.'

// AI Toolkit's. They have the names and the defaults of AI Toolkit's template: a parameters file of
// its projects works as it is, once its nulls are left out.

@description('Shell lines, joined with "; " and run by bash in the container, for keepCommands.')
param defaultCommands array = []

@description('Upper bound of the replicas with a GPU.')
@minValue(1)
param maximumInstanceCount int = 2

@description('Region of everything that is created. Apps must be in the region of their environment.')
param location string = resourceGroup().location

@description('End of the names that are not given.')
param resourceSuffix string = take(uniqueString(resourceGroup().id), 5)

@description('Storage account with the share.')
@maxLength(24)
param storageAccountName string = 'aistorage${resourceSuffix}'

@description('Share with the models. Containers see it at /mount.')
param fileShareName string = 'aifileshare${resourceSuffix}'

@description('Container Apps environment.')
param acaEnvironmentName string = 'aienv${resourceSuffix}'

@description('Storage of the environment that fine-tuning writes to the share through. Inference uses it with keepCommands alone.')
param acaEnvironmentStorageName string = 'aienvstorage${resourceSuffix}'

@description('App with the GPU.')
@maxLength(32)
param acaAppName string = 'aiacaapp${resourceSuffix}'

@description('Log Analytics workspace of the environment.')
param acaLogAnalyticsName string = 'ailog${resourceSuffix}'

// What runs.

@description('Runs defaultCommands as they are, open to the internet as AI Toolkit has it: no front, no key, and a share that can be written to.')
param keepCommands bool = false

@description('GPU of each replica, as a type of workload profile. Consumption-GPU-... are paid by the second; NC...-A100 by the hour, for as long as a replica runs. none serves on four CPU cores.')
@allowed(['none', 'Consumption-GPU-NC8as-T4', 'Consumption-GPU-NC24-A100', 'NC24-A100', 'NC48-A100', 'NC96-A100'])
param gpuProfile string = 'Consumption-GPU-NC8as-T4'

@description('Name of the workload profile of that type in the environment. Empty: Consumption, GPU-T4, GPU-A100, or GPU for the dedicated ones.')
param gpuProfileName string = ''

@description('Image of the app with the GPU: it needs Python and PyTorch, or Remora itself.')
param image string = 'docker.io/pytorch/pytorch:2.7.1-cuda12.6-cudnn9-runtime'

@description('Image of the front: it needs the same Python, or Remora itself.')
param frontImage string = 'docker.io/library/python:3.11-slim'

@description('Registry of the images, such as example.azurecr.io, if it is a private one.')
param registryServer string = ''

@description('Resource id of a user-assigned identity that may pull from it.')
param registryIdentity string = ''

// How it scales.

@description('Replicas with a GPU that stay when nobody asks. 0 costs nothing; the first request then waits for a start.')
@minValue(0)
param minReplicas int = 0

@description('Time without a request after which replicas go, in seconds.')
@minValue(30)
param cooldownSeconds int = 300

@description('Requests at once for which one replica is enough; more start another.')
@minValue(1)
param concurrentRequests int = 32

@description('Hours a day that the front lets the GPU be awake. 0 is no limit.')
@minValue(0)
@maxValue(24)
param maxHoursAwake int = 0

// The front. It is what users reach, and answers while the GPU sleeps.

@description('App that users reach.')
@maxLength(32)
param frontAppName string = '${take(acaAppName, 26)}-front'

@description('Replicas of the front that are always there. With 0 the first request waits for it, too.')
@minValue(0)
@maxValue(1)
param frontMinReplicas int = 1

@description('Whether the endpoint is open to the internet. If not, it is reached from the network of the environment alone.')
param publicEndpoint bool = true

@description('IPv4 ranges, such as 203.0.113.0/24, that may reach the endpoint. Empty: all.')
param allowedIpRanges array = []

// Secrets. The apps keep them; they are neither in the outputs nor in the deployment's history.

@description('Key that requests to the endpoint must carry.')
@secure()
@minLength(16)
param apiKey string

@description('Another valid key, while keys are exchanged.')
@secure()
param apiKey2 string = ''

@description('Key of the admin API.')
@secure()
@minLength(16)
param adminKey string

@description('Token for models of Hugging Face that need one.')
@secure()
param hfToken string = ''

// What exists already. What is created and exists is updated to what the template says.

@description('Creates or updates the storage account. false leaves it as it is.')
param createStorageAccount bool = true

@description('Creates or updates the share. false leaves it as it is.')
param createFileShare bool = true

@description('Creates or updates the environment. false leaves it as it is: an update sets network, domains and whatever else this template does not name to the defaults, where Azure allows it at all.')
param createEnvironment bool = true

@description('Creates or updates the Log Analytics workspace, if the environment is created. false leaves it as it is.')
param createLogAnalytics bool = true

@description('Resource group of the storage account. In another group than the deployment\'s nothing is created.')
param storageAccountResourceGroup string = resourceGroup().name

@description('Resource group of the environment. In another group nothing is created but the storage.')
param acaEnvironmentResourceGroup string = resourceGroup().name

@description('Resource group of the Log Analytics workspace. In another group nothing is created.')
param acaLogAnalyticsResourceGroup string = resourceGroup().name

@description('All workload profiles of the environment that is created or updated, those that are there included: Azure removes others. Empty: Consumption, and the one of gpuProfile.')
param workloadProfiles array = []

@description('Storage of the environment through which inference reads the share.')
param readOnlyStorageName string = '${take(acaEnvironmentStorageName, 30)}ro'

@description('Tags of all that is created.')
param tags object = {}

@description('Tags storage account, workspace and environment as created by inference, too. Only for those that nothing else uses.')
param tagSharedResources bool = false

var port = 7860
var mountPath = '/mount'
var sizes = {
  none: { profile: 'Consumption', cpu: 4, memory: '8Gi' }
  'Consumption-GPU-NC8as-T4': { profile: 'GPU-T4', cpu: 8, memory: '56Gi' }
  'Consumption-GPU-NC24-A100': { profile: 'GPU-A100', cpu: 24, memory: '220Gi' }
  'NC24-A100': { profile: 'GPU', cpu: 24, memory: '220Gi' }
  'NC48-A100': { profile: 'GPU', cpu: 48, memory: '440Gi' }
  'NC96-A100': { profile: 'GPU', cpu: 96, memory: '880Gi' }
}
var size = sizes[gpuProfile]
var profileName = empty(gpuProfileName) ? size.profile : gpuProfileName
var consumptionProfile = { name: 'Consumption', workloadProfileType: 'Consumption' }
// Azure refuses counts for the serverless ones.
var isServerless = startsWith(gpuProfile, 'Consumption-')
var counts = isServerless ? {} : { minimumCount: 0, maximumCount: maximumInstanceCount }
var gpuWorkloadProfile = union(counts, { name: profileName, workloadProfileType: gpuProfile })
var usedProfiles = gpuProfile == 'none' ? [consumptionProfile] : [consumptionProfile, gpuWorkloadProfile]
var profiles = empty(workloadProfiles) ? usedProfiles : workloadProfiles

var here = toLower(resourceGroup().name)
var makesStorageAccount = createStorageAccount && (toLower(storageAccountResourceGroup) == here)
var makesFileShare = createFileShare && (toLower(storageAccountResourceGroup) == here)
var makesEnvironment = createEnvironment && (toLower(acaEnvironmentResourceGroup) == here)
var makesLogAnalytics = makesEnvironment && createLogAnalytics && (toLower(acaLogAnalyticsResourceGroup) == here)

var appTags = union(tags, { 'remora-created-by': 'inference' })
var sharedTags = tagSharedResources ? appTags : tags

var apiKey2Secrets = empty(apiKey2) ? [] : [{ name: 'api-key-2', value: apiKey2 }]
var hfTokenSecrets = empty(hfToken) ? [] : [{ name: 'hf-token', value: hfToken }]
var adminKeySecrets = [{ name: 'admin-key', value: adminKey }]
var keySecrets = concat(apiKey2Secrets, [{ name: 'api-key', value: apiKey }], adminKeySecrets)
var apiKey2Variables = empty(apiKey2) ? [] : [{ name: 'REMORA_API_KEY_2', secretRef: 'api-key-2' }]
var hfTokenVariables = empty(hfToken) ? [] : [{ name: 'HF_TOKEN', secretRef: 'hf-token' }]
var keyVariables = concat(apiKey2Variables, [
  { name: 'REMORA_API_KEY', secretRef: 'api-key' }
  { name: 'REMORA_ADMIN_KEY', secretRef: 'admin-key' }
  { name: 'REMORA_SHARE', value: mountPath }
])
// The front checks the keys of those who ask. The app behind it knows the front alone, by the admin
// key, so that API keys are exchanged without it: it neither starts anew nor wakes.
var serverSecrets = keepCommands ? keySecrets : adminKeySecrets
var serverVariables = keepCommands ? keyVariables : [
  { name: 'REMORA_API_KEY', secretRef: 'admin-key' }
  { name: 'REMORA_ADMIN_KEY', secretRef: 'admin-key' }
  { name: 'REMORA_SHARE', value: mountPath }
]

var registries = empty(registryServer) ? [] : [{ server: registryServer, identity: registryIdentity }]
var identity = empty(registryIdentity)
  ? { type: 'None' }
  : { type: 'UserAssigned', userAssignedIdentities: { '${registryIdentity}': {} } }

var storageName = keepCommands ? acaEnvironmentStorageName : readOnlyStorageName
var volumes = [{ name: 'share', storageType: 'AzureFile', storageName: storageName }]
var volumeMounts = [{ volumeName: 'share', mountPath: mountPath }]

// Answers until the first deployment, then starts what was deployed.
var start = ['python3', '-c', loadTextContent('placeholder.py')]
var keptStart = ['/bin/bash', '-c', join(defaultCommands, '; ')]
var ipRules = map(allowedIpRanges, (cidr, i) => { name: 'allowed-${i}', ipAddressRange: cidr, action: 'Allow' })

// A server answers /livez while it loads its model, and gets requests once it answers /readyz.
var alive = { path: '/livez', port: port }
var ready = { path: '/readyz', port: port }
var serverProbes = [
  { type: 'Startup', httpGet: alive, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 10 }
  { type: 'Readiness', httpGet: ready, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 }
  { type: 'Liveness', httpGet: alive, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 10 }
]
var page = { path: '/', port: port }
var keptProbes = [
  { type: 'Startup', httpGet: page, periodSeconds: 120, timeoutSeconds: 5, failureThreshold: 10 }
  { type: 'Liveness', httpGet: page, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 10 }
]

resource storageAccount 'Microsoft.Storage/storageAccounts@2025-01-01' = if (makesStorageAccount) {
  name: storageAccountName
  location: location
  tags: sharedTags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowBlobPublicAccess: false
    allowSharedKeyAccess: true // Container Apps mounts shares with the account's key.
  }
}

resource fileService 'Microsoft.Storage/storageAccounts/fileServices@2025-01-01' = if (makesStorageAccount) {
  parent: storageAccount
  name: 'default'
  properties: { shareDeleteRetentionPolicy: { enabled: true, days: 7 } }
}

resource fileShare 'Microsoft.Storage/storageAccounts/fileServices/shares@2025-01-01' = if (makesFileShare) {
  parent: fileService
  name: fileShareName
  properties: { shareQuota: 1024 } // GiB
}

resource logAnalytics 'Microsoft.OperationalInsights/workspaces@2025-02-01' = if (makesLogAnalytics) {
  name: acaLogAnalyticsName
  location: location
  tags: sharedTags
  properties: { sku: { name: 'PerGB2018' } }
}

resource usedAccount 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageAccountName
  scope: resourceGroup(storageAccountResourceGroup)
}

resource usedLogAnalytics 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: acaLogAnalyticsName
  scope: resourceGroup(acaLogAnalyticsResourceGroup)
}

resource usedEnvironment 'Microsoft.App/managedEnvironments@2025-01-01' existing = {
  name: acaEnvironmentName
  scope: resourceGroup(acaEnvironmentResourceGroup)
}

resource environment 'Microsoft.App/managedEnvironments@2025-01-01' = if (makesEnvironment) {
  name: acaEnvironmentName
  location: location
  tags: sharedTags
  properties: {
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        // Azure evaluates these even where the environment is left as it is.
        customerId: makesEnvironment ? usedLogAnalytics.properties.customerId : ''
        sharedKey: makesEnvironment ? usedLogAnalytics.listKeys().primarySharedKey : ''
      }
    }
    workloadProfiles: profiles
  }
  dependsOn: [logAnalytics]
}

module environmentStorage 'environment-storage.bicep' = {
  name: 'remora-${acaAppName}-storage'
  scope: resourceGroup(acaEnvironmentResourceGroup)
  params: {
    environmentName: acaEnvironmentName
    storageName: storageName
    accountName: storageAccountName
    accountKey: usedAccount.listKeys().keys[0].value
    shareName: fileShareName
    accessMode: keepCommands ? 'ReadWrite' : 'ReadOnly'
  }
  dependsOn: [environment, fileShare]
}

resource gpuApp 'Microsoft.App/containerApps@2025-01-01' = {
  name: acaAppName
  location: location
  tags: union(appTags, keepCommands ? {} : { 'remora-front': frontAppName })
  identity: identity
  properties: {
    environmentId: usedEnvironment.id
    workloadProfileName: profileName
    configuration: {
      activeRevisionsMode: 'Single'
      registries: registries
      secrets: concat(serverSecrets, hfTokenSecrets)
      ingress: {
        external: keepCommands && publicEndpoint
        targetPort: port
        allowInsecure: false
        stickySessions: { affinity: 'sticky' }
        ipSecurityRestrictions: keepCommands ? ipRules : []
      }
    }
    template: {
      containers: [{
        name: 'remora'
        image: image
        command: keepCommands ? keptStart : start
        args: keepCommands ? [] : ['serve']
        env: concat(serverVariables, hfTokenVariables)
        resources: { cpu: size.cpu, memory: size.memory }
        volumeMounts: volumeMounts
        probes: keepCommands ? keptProbes : serverProbes
      }]
      scale: {
        minReplicas: minReplicas
        maxReplicas: maximumInstanceCount
        cooldownPeriod: cooldownSeconds
        rules: [{ name: 'requests', http: { metadata: { concurrentRequests: string(concurrentRequests) } } }]
      }
      terminationGracePeriodSeconds: 60
      volumes: volumes
    }
  }
  dependsOn: [environmentStorage]
}

resource front 'Microsoft.App/containerApps@2025-01-01' = if (!keepCommands) {
  name: frontAppName
  location: location
  tags: appTags
  identity: identity
  properties: {
    environmentId: usedEnvironment.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      registries: registries
      secrets: keySecrets
      ingress: {
        external: publicEndpoint
        targetPort: port
        allowInsecure: false
        ipSecurityRestrictions: ipRules
      }
    }
    template: {
      containers: [{
        name: 'remora-front'
        image: frontImage
        command: start
        args: ['front']
        env: concat(keyVariables, [
          { name: 'REMORA_UPSTREAM', value: 'https://${gpuApp.properties.configuration.ingress.fqdn}' }
          { name: 'REMORA_UPSTREAM_KEY', secretRef: 'admin-key' }
          { name: 'REMORA_COOLDOWN', value: string(minReplicas == 0 ? cooldownSeconds : 0) }
          { name: 'REMORA_BUSY', value: string(concurrentRequests) }
          { name: 'REMORA_MAX_HOURS_AWAKE', value: string(maxHoursAwake) }
          { name: 'REMORA_LINGER', value: '5' }
          { name: 'REMORA_DRAIN_TIMEOUT', value: '580' }
        ])
        resources: { cpu: json('0.5'), memory: '1Gi' }
        volumeMounts: volumeMounts
        probes: serverProbes
      }]
      // One replica: it knows which requests wait and how long the GPU was awake today.
      scale: {
        minReplicas: frontMinReplicas
        maxReplicas: 1
        rules: [{ name: 'requests', http: { metadata: { concurrentRequests: '1000' } } }]
      }
      terminationGracePeriodSeconds: 600 // Requests that wait for the GPU are answered, too.
      volumes: volumes
    }
  }
  dependsOn: [environmentStorage]
}

// The keys of infra/inference.config.json.
output SUBSCRIPTION_ID string = subscription().subscriptionId
output RESOURCE_GROUP_NAME string = resourceGroup().name
output STORAGE_ACCOUNT_NAME string = storageAccountName
output FILE_SHARE_NAME string = fileShareName
output ACA_APP_NAME string = acaAppName
output ACA_APP_ENDPOINT string = keepCommands ? gpuApp.properties.configuration.ingress.fqdn : front!.properties.configuration.ingress.fqdn
